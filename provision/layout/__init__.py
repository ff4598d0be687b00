"""TOML layouts: what one gateway is made of, and how a request turns a layout into a plan.

Pure but for :mod:`provision.layout.catalog`, which reads the files. No clock and no randomness:
identifiers and secrets come in through :class:`provision.layout.model.Identifiers`.

==============  ===================================================================================
``model``       ``Layout`` and its parts, the one form of all dialects; each key of a file is
                declared at the attribute that it sets. ``GatewayRequest``, ``Identifiers``
``schema``      the shapes that such declarations use
``plan``        ``Plan`` and its parts; ``plan_to_json``, ``plan_from_json``
``catalog``     ``LayoutCatalog``: the files of a directory, picked up when edited
``reader``      ``read(text, file=...)``: the strict reader; a ``Reading`` has the linter's warnings
``parameters``  ``validate_parameters(layout, given)``
``expansion``   ``expand(layout, request, identifiers)``
``errors``      all that can go wrong, and ``Problem``
==============  ===================================================================================

The way of a file: ``source`` (TOML with positions), its fragments (``reader``), the shape of its
dialect (``checks``, ``dialects``), the model (``dialects``), its parts against each other
(``checks``), ``lint``. A new key is an attribute in ``model`` and, if it reaches the platform, in
``plan``.
"""
