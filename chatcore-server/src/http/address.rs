//! Whose request it is, by address, also behind proxies.

use std::{net::IpAddr, sync::Arc};

use axum::http::HeaderMap;
use ipnet::IpNet;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// Where a request came from; an extension of each request of the accept loop. It is personal: for
/// limits, never for labels of metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// The networks of proxies whose `X-Forwarded-For` is believed. The default: nobody's. Cheap to
/// clone.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(Arc<[IpNet]>);

impl FromIterator<IpNet> for TrustedProxies {
    fn from_iter<I: IntoIterator<Item = IpNet>>(networks: I) -> Self {
        Self(networks.into_iter().collect())
    }
}

impl TrustedProxies {
    /// The address of the socket's other end, or the last one in `X-Forwarded-For` that is no proxy's
    /// if the socket is a proxy's. What stands before that one anybody may have written. A list that
    /// can't be read as far as it is needed counts as none.
    #[must_use]
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let peer = peer.to_canonical();
        if !self.has(peer) {
            return ClientAddress(peer);
        }
        for line in headers.get_all(FORWARDED_FOR).iter().rev() {
            let Ok(line) = line.to_str() else {
                return ClientAddress(peer);
            };
            for item in line.rsplit(',') {
                match item.trim().parse::<IpAddr>().map(|ip| ip.to_canonical()) {
                    Ok(address) if self.has(address) => {}
                    Ok(address) => return ClientAddress(address),
                    Err(_) => return ClientAddress(peer),
                }
            }
        }
        ClientAddress(peer)
    }

    pub(super) fn has(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|network| network.contains(&address))
    }
}

/// A network, or the one of a single address.
pub(crate) fn network(text: &str) -> Option<IpNet> {
    let single = || text.parse::<IpAddr>().ok().map(IpNet::from);
    text.parse().ok().or_else(single)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_trusted_proxies_say_is_believed() {
        let proxies = ["10.0.0.0/8", "fd00::1"];
        let proxies: TrustedProxies = proxies.iter().filter_map(|one| network(one)).collect();
        let table: [(&str, &[&str], &str); 11] = [
            ("192.0.2.1", &[], "192.0.2.1"),
            ("192.0.2.1", &["203.0.113.9"], "192.0.2.1"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("::ffff:10.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("fd00::1", &["2001:db8::5, 10.0.0.7"], "2001:db8::5"),
            ("fd00::2", &["2001:db8::5"], "fd00::2"),
            // The client wrote the first one itself.
            ("10.0.0.1", &["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["127.0.0.1", "203.0.113.9"], "203.0.113.9"),
            ("10.0.0.1", &["203.0.113.9, nonsense"], "10.0.0.1"),
            ("10.0.0.1", &["10.0.0.2, "], "10.0.0.1"),
        ];
        for (peer, lines, expected) in table {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(FORWARDED_FOR, line.parse().unwrap());
            }
            let client = proxies.client(peer.parse().unwrap(), &headers);
            let expected = ClientAddress(expected.parse().unwrap());
            assert_eq!(client, expected, "{peer} {lines:?}");
        }
    }

    #[test]
    fn what_is_no_network_is_none() {
        for text in ["", "10.0.0.0/33", "proxy.example", "10.0.0"] {
            assert_eq!(network(text), None, "{text}");
        }
    }
}
