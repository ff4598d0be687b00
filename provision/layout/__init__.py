"""TOML layouts: what one gateway is made of, and how a request turns a layout into a plan.

Pure but for :mod:`provision.layout.catalog`, which reads the files. No clock and no randomness:
identifiers and secrets come in through :class:`provision.layout.request.Identifiers`.

Import the modules directly:

========================  ===================================================================
``model``                 :class:`Layout` and its parts, the one form all dialects become
``request``               :class:`GatewayRequest`, :class:`Identifiers`: what expansion is given
``plan``                  :class:`Plan` and its parts, ``plan_to_json``, ``plan_from_json``
``reader``                ``read_layout(text, file=...)``: the strict reader for all dialects
``lint``                  ``lint(layout)``: legal but surely wrong
``parameters``            ``validate_parameters(layout, given)``
``expansion``             ``expand(layout, request, identifiers) -> Plan``
``catalog``               :class:`LayoutCatalog`: the files of a directory, picked up when edited
``errors``                everything that can go wrong, and :class:`Problem`
========================  ===================================================================
"""
