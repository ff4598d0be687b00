"""The embedded certificate authority's cryptography: keys, requests, profiles, CRL and OCSP."""
