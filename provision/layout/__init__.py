"""TOML layouts: what one gateway is made of, and how a request turns a layout into a plan.

Pure but for :mod:`provision.layout.catalog`, which reads the files. No clock and no randomness:
identifiers and secrets come in through :class:`provision.layout.model.Identifiers`.

Import the modules directly:

==============  ===================================================================================
``model``       ``Layout`` and its parts, the one form of all dialects; ``with_overrides``
``request``     ``GatewayRequest`` and the port ``Identifiers``: what expansion is given
``plan``        ``Plan`` and its parts; ``plan_to_json``, ``plan_from_json``
``catalog``     ``LayoutCatalog``: the files of a directory, picked up when edited
``reader``      ``read(text, file=...)``: the strict reader; a ``Reading`` has the linter's warnings
``parameters``  ``validate_parameters(layout, given)``
``expansion``   ``expand(layout, request, identifiers)``
``errors``      all that can go wrong, and ``Problem``
==============  ===================================================================================

The way of a file: ``scanner`` and ``source`` (TOML with positions), ``checker`` with the dialect's
shape (``shapes``, ``shape_provision``), the dialect's ``build`` (``dialect_...``), ``checks``
between the parts, ``lint``. The way of a request: ``parameters``, ``rendering``, ``naming``,
``connecting``, ``binding``, put together in ``expansion``.
"""
