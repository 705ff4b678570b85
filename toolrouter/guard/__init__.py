"""What may be seen and called: fingerprints of definitions, admission by trust mode, decisions of a person, policy.

Pure functions over values. Above: the application, which hands `admit` to the catalog. Below: the catalog's types.
"""
