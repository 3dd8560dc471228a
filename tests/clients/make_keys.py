"""Makes the keys of backend clients: one RSA, one EC on P-384. Usage: make_keys.py DIRECTORY

Writes `RS384.public.json` and `ES384.public.json`, JWK Sets to register, and the private ones beside them.
"""

import json
import sys
from pathlib import Path

from jwcrypto.jwk import JWK

for alg, kind in {"RS384": {"kty": "RSA", "size": 2048}, "ES384": {"kty": "EC", "crv": "P-384"}}.items():
    key = JWK.generate(kid=f"test-{alg}", alg=alg, use="sig", **kind)
    private = key.export_private(as_dict=True) | {"key_ops": ["sign"]}
    public = key.export_public(as_dict=True) | {"key_ops": ["verify"]}
    for name, one in (("private", private), ("public", public)):
        Path(sys.argv[1], f"{alg}.{name}.json").write_text(json.dumps({"keys": [one]}))
