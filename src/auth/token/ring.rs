//! The cryptography of `jsonwebtoken`: ring's, which TLS uses as well.

use ::ring::rand::SystemRandom;
use ::ring::signature::{
    self as algorithms, EcdsaKeyPair, RsaKeyPair, RsaPublicKeyComponents, UnparsedPublicKey, VerificationAlgorithm,
};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind};
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, DecodingKeyKind, EncodingKey};

static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: signer,
    verifier_factory: verifier,
    // Keys are never turned into JWKs by the library.
    key_utils: KeyUtils::new_unimplemented(),
};

/// Makes it the process's; again is as good as once.
pub(in crate::auth) fn install() {
    let _ = PROVIDER.install_default();
}

/// Signs with ECDSA on P-256: what access tokens are signed with.
struct EcdsaSigner(EcdsaKeyPair);

/// Signs with RSA: what id tokens are signed with.
struct RsaSigner(RsaKeyPair);

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the library asks")]
fn signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>, Error> {
    match (algorithm, key.family()) {
        (Algorithm::ES256, AlgorithmFamily::Ec) => {
            let of = &algorithms::ECDSA_P256_SHA256_FIXED_SIGNING;
            let pair = EcdsaKeyPair::from_pkcs8(of, key.as_bytes(), &SystemRandom::new());
            Ok(Box::new(EcdsaSigner(pair.map_err(|_| ErrorKind::InvalidEcdsaKey)?)))
        }
        (Algorithm::RS256, AlgorithmFamily::Rsa) => {
            let pair = RsaKeyPair::from_pkcs8(key.as_bytes());
            Ok(Box::new(RsaSigner(pair.map_err(|_| ErrorKind::InvalidKeyFormat)?)))
        }
        _ => Err(ErrorKind::InvalidAlgorithm.into()),
    }
}

impl Signer<Vec<u8>> for EcdsaSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let signature = self.0.sign(&SystemRandom::new(), message).map_err(|_| SignatureError::new())?;
        Ok(signature.as_ref().to_vec())
    }
}

impl JwtSigner for EcdsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::ES256
    }
}

impl Signer<Vec<u8>> for RsaSigner {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        let mut signature = vec![0; self.0.public().modulus_len()];
        let signed = self.0.sign(&algorithms::RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature);
        signed.map_err(|_| SignatureError::new())?;
        Ok(signature)
    }
}

impl JwtSigner for RsaSigner {
    fn algorithm(&self) -> Algorithm {
        Algorithm::RS256
    }
}

/// Verifies with the one algorithm a key is for.
struct KeyVerifier {
    algorithm: Algorithm,
    key: DecodingKey,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "as the library asks")]
fn verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>, Error> {
    let known = matches!(algorithm.family(), AlgorithmFamily::Rsa | AlgorithmFamily::Ec);
    if !known || algorithm.family() != key.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    Ok(Box::new(KeyVerifier { algorithm: *algorithm, key: key.clone() }))
}

impl Verifier<Vec<u8>> for KeyVerifier {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        let rsa = match self.algorithm {
            Algorithm::ES256 => return self.ecdsa(&algorithms::ECDSA_P256_SHA256_FIXED, message, signature),
            Algorithm::ES384 => return self.ecdsa(&algorithms::ECDSA_P384_SHA384_FIXED, message, signature),
            Algorithm::RS384 => &algorithms::RSA_PKCS1_2048_8192_SHA384,
            Algorithm::RS512 => &algorithms::RSA_PKCS1_2048_8192_SHA512,
            Algorithm::PS384 => &algorithms::RSA_PSS_2048_8192_SHA384,
            Algorithm::PS512 => &algorithms::RSA_PSS_2048_8192_SHA512,
            _ => return Err(SignatureError::new()),
        };
        let DecodingKeyKind::RsaModulusExponent { n, e } = self.key.kind() else { return Err(SignatureError::new()) };
        RsaPublicKeyComponents { n, e }.verify(rsa, message, signature).map_err(|_| SignatureError::new())
    }
}

impl KeyVerifier {
    fn ecdsa(
        &self,
        algorithm: &'static dyn VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), SignatureError> {
        let key = self.key.try_get_as_bytes().map_err(|_| SignatureError::new())?;
        UnparsedPublicKey::new(algorithm, key).verify(message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for KeyVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}
