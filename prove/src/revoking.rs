//! Somebody of the bank who revokes people, sign-ins and tokens all the while.

use std::{sync::Arc, time::Duration};

use anyhow::Result;
use chatcore::{
    clock::Timestamp,
    identity::{Revocation, Revoked},
    ids::Participant,
    simulation::{Rng, What},
};
use serde_json::{Value, json};

use crate::{http, wallet::Signer, world::World};

/// Between two.
const EVERY: Duration = Duration::from_secs(2);

/// Revokes until all are told to end talking. What a node does not say to be done may be done or
/// not, and is not judged.
///
/// # Errors
/// When its own token can't be signed.
pub(crate) async fn revoke(world: Arc<World>, signer: Signer, seed: u64) -> Result<()> {
    let token = signer.service()?;
    let mut rng = Rng::named(seed, "revocations");
    let mut orders = world.orders.subscribe();
    loop {
        tokio::select! {
            ended = orders.wait_for(|orders| !orders.talk || orders.end) => {
                ended?;
                return Ok(());
            }
            () = tokio::time::sleep(EVERY) => {}
        }
        let Some((what, body)) = pick(&world, &mut rng) else {
            continue;
        };
        let at = usize::try_from(rng.draw() % 1_024)?;
        let Some(address) = world.gateways.get(at % world.gateways.len().max(1)) else {
            continue;
        };
        let answer = http::revoke(*address, &token, &body.to_string()).await;
        let at = answer.and_then(|body| {
            let body: Value = serde_json::from_str(&body).ok()?;
            body.get("revoked_at")?.as_i64()
        });
        if let Some(at) = at {
            let at = Timestamp(at);
            world.saw(None, What::Revoked(Revocation { what, at }));
        }
    }
}

/// Somebody who is connected, or what they showed. Customers lose what they showed only: out for
/// seconds, they would be shown late what operators wrote, and the gap is measured by that.
fn pick(world: &World, rng: &mut Rng) -> Option<(Revoked, Value)> {
    let shown = world.shown();
    let count = u64::try_from(shown.len()).ok()?;
    let nth = usize::try_from(rng.draw().checked_rem(count)?).ok()?;
    let (person, credential) = shown.into_iter().nth(nth)?;
    let (token, sign_in) = (credential.proof.token?, credential.proof.sign_in?);
    Some(match (rng.draw() % 3, &person) {
        (0, Participant::Staff(_)) => {
            let body = json!({"person": person});
            (Revoked::Person(person), body)
        }
        (1, _) => (
            Revoked::Token(token.clone()),
            json!({"token": token.as_str()}),
        ),
        _ => (
            Revoked::SignIn(sign_in.clone()),
            json!({"sign_in": sign_in.as_str()}),
        ),
    })
}
