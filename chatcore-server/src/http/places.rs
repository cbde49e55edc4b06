//! How many connections an address may have at a time.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, PoisonError},
};

use super::address::ClientAddress;

/// Counts the connections of each address; of IPv6 those of each network of 64 bits, as a single
/// subscriber has that many addresses. Holds only addresses that have some. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Places {
    max: usize,
    taken: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of one connection, until it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    places: Places,
    address: IpAddr,
}

impl Places {
    /// At most `max` at a time for each.
    pub(super) fn new(max: usize) -> Self {
        Self {
            max,
            taken: Arc::default(),
        }
    }

    /// One more; none when the address has as many as it may.
    pub(super) fn take(&self, ClientAddress(address): ClientAddress) -> Option<Place> {
        let address = subscriber(address);
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(address).or_default();
        if *count >= self.max {
            return None;
        }
        *count += 1;
        drop(taken);
        let places = self.clone();
        Some(Place { places, address })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let taken = &self.places.taken;
        let mut taken = taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.address) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

/// What one subscriber has of addresses.
fn subscriber(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            const NETWORK: u128 = !0 << 64;
            IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & NETWORK))
        }
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> ClientAddress {
        ClientAddress(text.parse().unwrap())
    }

    #[test]
    fn an_address_has_so_many_places_and_gets_them_back() {
        let places = Places::new(2);
        let first = places.take(at("192.0.2.1")).unwrap();
        let second = places.take(at("::ffff:192.0.2.1")).unwrap();
        assert!(places.take(at("192.0.2.1")).is_none());
        assert!(places.take(at("192.0.2.2")).is_some(), "another address");
        drop(first);
        let third = places.take(at("192.0.2.1")).unwrap();
        assert!(places.take(at("192.0.2.1")).is_none());
        drop((second, third));
        assert!(places.taken.lock().unwrap().is_empty(), "nothing is kept");
    }

    #[test]
    fn a_network_of_64_bits_is_one_subscriber() {
        let places = Places::new(1);
        let held = places.take(at("2001:db8:0:1::5"));
        assert!(held.is_some());
        assert!(places.take(at("2001:db8:0:1:ffff::1")).is_none());
        assert!(places.take(at("2001:db8:0:2::5")).is_some());
    }
}
