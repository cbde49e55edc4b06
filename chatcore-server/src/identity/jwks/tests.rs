//! Tokens signed with private keys, each kind, and every way to pass one for another.

use std::sync::atomic::{AtomicI64, Ordering};

use chatcore::{clock::Timestamp, identity::Scope};
use ring::{
    rand::SystemRandom,
    signature::{
        ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair,
        EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _,
    },
};
use serde_json::{Value, json};

use super::*;
use crate::identity::{JwtAuthenticator, KeySetProblem, Role, TokenRules};

const NOW: i64 = 1_790_000_000;
const ISSUER: &str = "https://login.bank.example";

#[derive(Debug)]
struct At(AtomicI64);

impl Clock for At {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::Relaxed) * 1_000)
    }
}

/// Base64url without padding (RFC 4648, section 5).
fn encoded(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for letter in 0..=chunk.len() {
            let shift = 18 - 6 * u32::try_from(letter).unwrap();
            text.push(char::from(LETTERS[(bits >> shift & 63) as usize]));
        }
    }
    text
}

/// Somebody who signs.
enum Signer {
    Ec(EcdsaKeyPair, &'static str),
    Ed(Ed25519KeyPair),
}

impl Signer {
    fn ec(how: &'static EcdsaSigningAlgorithm, curve: &'static str) -> Self {
        let random = SystemRandom::new();
        let key = EcdsaKeyPair::generate_pkcs8(how, &random).unwrap();
        Self::Ec(
            EcdsaKeyPair::from_pkcs8(how, key.as_ref(), &random).unwrap(),
            curve,
        )
    }

    fn p256() -> Self {
        Self::ec(&ECDSA_P256_SHA256_FIXED_SIGNING, "P-256")
    }

    fn ed() -> Self {
        let key = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed(Ed25519KeyPair::from_pkcs8(key.as_ref()).unwrap())
    }

    fn alg(&self) -> &'static str {
        match self {
            Self::Ec(_, "P-256") => "ES256",
            Self::Ec(..) => "ES384",
            Self::Ed(_) => "EdDSA",
        }
    }

    /// The public key.
    fn jwk(&self, id: &str) -> Value {
        match self {
            Self::Ec(key, curve) => {
                let point = key.public_key().as_ref();
                let (x, y) = point[1..].split_at(point.len() / 2);
                json!({"kty": "EC", "crv": curve, "kid": id, "use": "sig", "alg": self.alg(),
                       "x": encoded(x), "y": encoded(y)})
            }
            Self::Ed(key) => json!({"kty": "OKP", "crv": "Ed25519", "kid": id,
                                    "x": encoded(key.public_key().as_ref())}),
        }
    }

    fn sign(&self, header: &Value, claims: &Value) -> String {
        let parts = [header, claims].map(|part| encoded(part.to_string().as_bytes()));
        let message = parts.join(".");
        let signature = match self {
            Self::Ec(key, _) => {
                let signed = key.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
                signed.as_ref().to_vec()
            }
            Self::Ed(key) => key.sign(message.as_bytes()).as_ref().to_vec(),
        };
        format!("{message}.{}", encoded(&signature))
    }

    fn token(&self, id: &str) -> String {
        self.sign(&json!({"alg": self.alg(), "kid": id}), &claims())
    }
}

fn claims() -> Value {
    json!({"sub": "anna", "role": "customer", "name": "Anna", "exp": NOW + 60, "iat": NOW,
           "iss": ISSUER, "aud": "chatcore"})
}

fn write(file: &Path, keys: &[Value]) {
    std::fs::write(file, json!({"keys": keys}).to_string()).unwrap();
}

struct Bank {
    _folder: tempfile::TempDir,
    file: PathBuf,
    tokens: JwksAuthenticator,
}

impl Bank {
    async fn with(keys: &[Value]) -> Self {
        Self::try_with(keys).await.unwrap()
    }

    async fn try_with(keys: &[Value]) -> Result<Self> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("keys.json");
        write(&file, keys);
        let rules = JwksRules {
            file: file.clone(),
            issuer: ISSUER.to_owned(),
            audience: "chatcore".to_owned(),
        };
        let clock = Arc::new(At(AtomicI64::new(NOW)));
        Ok(Self {
            tokens: JwksAuthenticator::open(rules, clock).await?,
            _folder: folder,
            file,
        })
    }

    async fn problem(&self, token: &str) -> Option<TokenProblem> {
        self.tokens.claims(token).await.err()
    }

    async fn takes(&self, token: &str) -> bool {
        self.tokens.authenticate(token).await.is_ok()
    }
}

#[tokio::test]
async fn each_kind_of_key_is_taken() {
    let p384 = Signer::ec(&ECDSA_P384_SHA384_FIXED_SIGNING, "P-384");
    for signer in [Signer::p256(), p384, Signer::ed()] {
        let bank = Bank::with(&[signer.jwk("k-1")]).await;
        let identity = bank
            .tokens
            .authenticate(&signer.token("k-1"))
            .await
            .unwrap();
        assert_eq!(identity.expires_at, Timestamp((NOW + 60) * 1_000));
        assert_eq!(identity.proof.issued_at, Some(Timestamp(NOW * 1_000)));
        let nameless = signer.sign(&json!({"alg": signer.alg()}), &claims());
        assert!(bank.takes(&nameless).await, "there is one key only");
    }
}

/// The example of RFC 7515, appendix A.2: its signature is good, and its claims are none of ours.
#[tokio::test]
async fn rsa_is_checked_as_the_standard_has_it() {
    let n = "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";
    let token = "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";
    let key = json!({"kty": "RSA", "n": n, "e": "AQAB"});
    let bank = Bank::with(&[key]).await;
    assert_eq!(bank.problem(token).await, Some(TokenProblem::Malformed));
    let changed = token.replace(".cC4h", ".cC4i");
    assert_eq!(bank.problem(&changed).await, Some(TokenProblem::Signature));
    let pss = json!({"kty": "RSA", "n": n, "e": "AQAB", "alg": "PS256"});
    let bank = Bank::with(&[pss]).await;
    assert_eq!(bank.problem(token).await, Some(TokenProblem::Algorithm));
}

#[tokio::test]
async fn one_key_or_algorithm_is_never_passed_for_another() {
    let (ours, theirs) = (Signer::p256(), Signer::p256());
    let bank = Bank::with(&[ours.jwk("k-1"), Signer::ed().jwk("k-2")]).await;
    let header = |alg: &str| json!({"alg": alg, "kid": "k-1"});
    // The public key as a secret, which is what those fall for who take the alg from the token.
    let Signer::Ec(key, _) = &ours else {
        unreachable!()
    };
    let public = key.public_key().as_ref();
    let parts = [header("HS256"), claims()].map(|part| encoded(part.to_string().as_bytes()));
    let message = parts.join(".");
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, public);
    let tag = ring::hmac::sign(&key, message.as_bytes());
    let confused = format!("{message}.{}", encoded(tag.as_ref()));
    let unsigned = format!(
        "{}.{}.",
        encoded(br#"{"alg":"none","kid":"k-1"}"#),
        parts[1]
    );
    let mut with_crit = header("ES256");
    with_crit["crit"] = json!(["b64"]);
    let table = [
        (
            "of somebody else",
            theirs.token("k-1"),
            TokenProblem::Signature,
        ),
        (
            "HMAC with the public key",
            confused,
            TokenProblem::Algorithm,
        ),
        ("none", unsigned, TokenProblem::Algorithm),
        (
            "another curve's",
            ours.sign(&header("ES384"), &claims()),
            TokenProblem::Algorithm,
        ),
        (
            "another kind's",
            ours.sign(&header("EdDSA"), &claims()),
            TokenProblem::Algorithm,
        ),
        ("of another kid", ours.token("k-2"), TokenProblem::Algorithm),
        (
            "of no known kid",
            ours.token("k-3"),
            TokenProblem::UnknownKey,
        ),
        (
            "of no kid",
            ours.sign(&json!({"alg": "ES256"}), &claims()),
            TokenProblem::UnknownKey,
        ),
        (
            "with crit",
            ours.sign(&with_crit, &claims()),
            TokenProblem::Critical,
        ),
    ];
    for (what, token, problem) in table {
        assert_eq!(bank.problem(&token).await, Some(problem), "{what}");
    }
    // A key that comes with the token counts for nothing.
    let mut brought = header("ES256");
    brought["jwk"] = theirs.jwk("k-1");
    let token = theirs.sign(&brought, &claims());
    assert_eq!(bank.problem(&token).await, Some(TokenProblem::Signature));
}

#[tokio::test]
async fn issuer_audience_and_times_are_checked_as_with_a_secret() {
    let signer = Signer::p256();
    let bank = Bank::with(&[signer.jwk("k-1")]).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        signer.sign(&json!({"alg": "ES256", "kid": "k-1"}), &claims)
    };
    let table = [
        ("iss", json!("https://evil.example"), TokenProblem::Issuer),
        ("aud", json!("another"), TokenProblem::Audience),
        ("exp", json!(NOW), TokenProblem::Expired),
        ("nbf", json!(NOW + 11), TokenProblem::NotYet),
        ("iat", json!(NOW + 11), TokenProblem::NotYet),
        ("exp", json!(NOW + 32 * 86_400), TokenProblem::LivesTooLong),
    ];
    for (name, value, problem) in table {
        assert_eq!(
            bank.problem(&with(name, value)).await,
            Some(problem),
            "{name}"
        );
    }
    // Clocks differ a little, and a token may be for several.
    assert!(bank.takes(&with("nbf", json!(NOW + 10))).await);
    assert!(
        bank.takes(&with("aud", json!(["another", "chatcore"])))
            .await
    );
    let of_service = with("role", json!("service"));
    let service = bank.tokens.authenticate_service(&of_service);
    assert!(service.await.unwrap().scopes.is_empty());
    assert!(!bank.takes(&with("role", json!("service"))).await);
    let mut claims = claims();
    claims["role"] = json!("service");
    claims["scope"] = json!("chatcore:revoke other");
    let token = signer.sign(&json!({"alg": "ES256", "kid": "k-1"}), &claims);
    let service = bank.tokens.authenticate_service(&token).await.unwrap();
    assert!(service.scopes.into_iter().eq([Scope::Revoke]));
}

#[tokio::test(start_paused = true)]
async fn keys_come_and_go_with_the_file_and_a_broken_one_changes_nothing() {
    let (old, new) = (Signer::p256(), Signer::ed());
    let bank = Bank::with(&[old.jwk("k-1")]).await;
    write(&bank.file, &[old.jwk("k-1"), new.jwk("k-2")]);
    // Not for each token that somebody makes up.
    assert!(!bank.takes(&new.token("k-2")).await);
    tokio::time::advance(READ_MIN).await;
    assert!(bank.takes(&new.token("k-2")).await);
    assert!(bank.takes(&old.token("k-1")).await);
    write(&bank.file, &[new.jwk("k-2")]);
    assert!(
        bank.takes(&old.token("k-1")).await,
        "it was read a moment ago"
    );
    tokio::time::advance(READ_EVERY).await;
    assert!(!bank.takes(&old.token("k-1")).await);
    for broken in ["", "{}", r#"{"keys": []}"#, "nonsense"] {
        std::fs::write(&bank.file, broken).unwrap();
        tokio::time::advance(READ_EVERY).await;
        assert!(bank.takes(&new.token("k-2")).await, "{broken}");
    }
    std::fs::remove_file(&bank.file).unwrap();
    tokio::time::advance(READ_EVERY).await;
    assert!(bank.takes(&new.token("k-2")).await);
}

#[tokio::test]
async fn a_set_of_no_use_is_refused_at_the_start() {
    let ec = Signer::p256();
    let mut enc = ec.jwk("k-1");
    enc["use"] = json!("enc");
    let mut other = ec.jwk("k-1");
    other["alg"] = json!("RS256");
    let secret = json!({"kty": "oct", "k": encoded(&[7; 32]), "kid": "k-1"});
    let unknown = json!({"kty": "new", "kid": "k-1"});
    let many = vec![ec.jwk("k"); 65];
    let table = [
        (vec![], KeySetProblem::NoKey),
        (vec![enc], KeySetProblem::NoKey),
        (vec![other], KeySetProblem::NoKey),
        (vec![unknown.clone()], KeySetProblem::NoKey),
        (vec![ec.jwk("k-2"), secret], KeySetProblem::Symmetric),
        (many, KeySetProblem::TooMany),
    ];
    for (keys, problem) in table {
        let error = Bank::try_with(&keys).await.err().unwrap();
        let source = std::error::Error::source(&error).unwrap();
        assert_eq!(source.downcast_ref(), Some(&problem));
    }
    let beside = Bank::with(&[unknown, ec.jwk("k-2")]).await;
    assert!(beside.takes(&ec.token("k-2")).await);
}

/// A server with a secret takes no public keys, and the other way round.
#[tokio::test]
async fn a_secret_and_public_keys_do_not_mix() {
    let signer = Signer::p256();
    let rules = TokenRules {
        secret: vec![7; 32],
        issuer: Some(ISSUER.to_owned()),
        audience: Some("chatcore".to_owned()),
    };
    let clock = Arc::new(At(AtomicI64::new(NOW)));
    let secret = JwtAuthenticator::try_new(rules, clock).unwrap();
    let refused = secret.verify(&signer.token("k-1")).unwrap_err();
    assert_eq!(refused, TokenProblem::Algorithm);
    let expires_at = Timestamp((NOW + 60) * 1_000);
    let signed = secret.sign(Claims::new("anna", Role::Customer, expires_at));
    let signed = signed.unwrap();
    assert!(secret.verify(&signed).is_ok());
    let bank = Bank::with(&[signer.jwk("k-1")]).await;
    assert_eq!(bank.problem(&signed).await, Some(TokenProblem::Algorithm));
}
