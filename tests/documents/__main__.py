"""``make docs``: writes the parts of documents that are made from the code."""

from tests.documents.generated import PARTS, make_again

for document in PARTS:
    make_again(document)
