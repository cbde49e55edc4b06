//! The store that the tests run against.

#[allow(dead_code, reason = "not every test starts one")]
pub(crate) mod server;

use std::{sync::Arc, time::Duration};

use chatcore::store::Archive;
use chatcore_keydb::{Config, KeyDb};

/// The store's address, if there is one to test against.
pub(crate) fn address() -> Option<String> {
    let address = std::env::var("CHATCORE_KEYDB").ok();
    let is_required = std::env::var("CHATCORE_TEST_REQUIRE").is_ok_and(|v| v == "1");
    if address.is_none() {
        assert!(!is_required, "CHATCORE_KEYDB names no store");
        eprintln!("skipped: CHATCORE_KEYDB names no store");
    }
    address
}

/// Waits long for answers: a test machine stands still at times.
pub(crate) fn patient(config: Config) -> Config {
    let long = Duration::from_secs(10);
    Config {
        connect_max: long,
        answer_max: long,
        ..config
    }
}

/// A key prefix that nobody else has.
pub(crate) fn prefix() -> String {
    let random = getrandom::u64().unwrap();
    format!("test-{random:016x}")
}

/// An empty store of this test's own, on the server that all tests share.
pub(crate) async fn connect(partitions: u32, archive: Arc<dyn Archive>) -> Option<Arc<KeyDb>> {
    let address = address()?.parse().unwrap();
    let config = patient(Config::new(address, partitions).with_prefix(prefix()));
    Some(KeyDb::connect(config, archive).await.unwrap())
}
