//! Which addresses a deployment may have. Who can name a deployment could otherwise have the service read from the network
//! that it is in.
//!
//! Names are resolved here, and connections are made to the addresses that were checked, so that a name cannot point to
//! another place in between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::failure::Failure;

/// Whether an address is on this machine, in a private network, or no address of one host.
pub(crate) fn is_private(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_private_v4(address),
        IpAddr::V6(address) => match embedded(address) {
            Some(inner) => is_private_v4(inner),
            None => {
                let [first, ..] = address.segments();
                address.is_loopback()
                    || address.is_unspecified()
                    || address.is_multicast()
                    || first & 0xfe00 == 0xfc00
                    || first & 0xffc0 == 0xfe80
                    || first & 0xffc0 == 0xfec0
            }
        },
    }
}

fn is_private_v4(address: Ipv4Addr) -> bool {
    let [first, second, third, _] = address.octets();
    address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || first == 0
        || first >= 240
        // Between providers and their customers.
        || (first == 100 && second & 0xc0 == 64)
        || (first == 192 && second == 0 && third == 0)
        || (first == 198 && second & 0xfe == 18)
}

/// The address of version 4 that one of version 6 leads to: mapped, compatible, or by translation.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, high, low] = address.segments();
    let of = |high: u16, low: u16| {
        let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
        Ipv4Addr::new(a, b, c, d)
    };
    match [a, b, c, d, e, f] {
        [0, 0, 0, 0, 0, 0xffff] | [0x64, 0xff9b, 0, 0, 0, 0] | [0x64, 0xff9b, 1, ..] => Some(of(high, low)),
        [0, 0, 0, 0, 0, 0] if high != 0 => Some(of(high, low)),
        [0x2002, high, low, ..] => Some(of(high, low)),
        _ => None,
    }
}

/// Refuses a URL whose host is such an address itself. Names are checked when they are resolved.
pub(crate) fn check(url: &Url) -> Result<(), Failure> {
    let host = url.host_str().unwrap_or_default();
    let literal = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>().ok();
    if literal.is_some_and(is_private) { Err(Failure::configuration(REFUSED)) } else { Ok(()) }
}

/// What is said of a deployment that is not reached for that reason.
pub(crate) const REFUSED: &str = "the Convex deployment has an address on this machine or in a private network: if that is \
                                  meant, add allow_private_addresses=true to its URL";

/// Resolves names of the system, and leaves out private addresses.
pub(crate) struct PublicOnly;

/// All addresses of a name are private.
#[derive(Debug)]
pub(crate) struct OnlyPrivate;

impl std::fmt::Display for OnlyPrivate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(REFUSED)
    }
}

impl std::error::Error for OnlyPrivate {}

impl Resolve for PublicOnly {
    fn resolve(&self, name: Name) -> Resolving {
        Box::pin(async move {
            let host = name.as_str().to_owned();
            let looked_up = tokio::task::spawn_blocking(move || {
                (host.as_str(), 0_u16).to_socket_addrs().map(Iterator::collect::<Vec<SocketAddr>>)
            });
            let public = public_of(looked_up.await??)?;
            Ok(Box::new(public.into_iter()) as Addrs)
        })
    }
}

/// Those that may be connected to.
fn public_of(addresses: Vec<SocketAddr>) -> Result<Vec<SocketAddr>, OnlyPrivate> {
    let was_found = !addresses.is_empty();
    let public: Vec<SocketAddr> = addresses.into_iter().filter(|address| !is_private(address.ip())).collect();
    if public.is_empty() && was_found { Err(OnlyPrivate) } else { Ok(public) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_addresses_are_known_in_every_form() {
        for address in [
            "127.0.0.1",
            "127.9.9.9",
            "10.1.2.3",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "169.254.169.254",
            "0.0.0.0",
            "100.64.0.1",
            "198.18.0.1",
            "224.0.0.1",
            "255.255.255.255",
            "::",
            "::1",
            "fe80::1",
            "fec0::1",
            "fc00::1",
            "fd12::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2002:a9fe:a9fe::",
        ] {
            assert!(is_private(address.parse().unwrap()), "{address}");
        }
        for address in ["8.8.8.8", "172.32.0.1", "100.128.0.1", "2606:4700::1", "::ffff:8.8.8.8", "2002:808:808::"] {
            assert!(!is_private(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn of_several_addresses_only_public_ones_are_used() {
        let address = |text: &str| SocketAddr::new(text.parse().unwrap(), 0);
        let public = public_of(vec![address("10.0.0.1"), address("8.8.8.8")]).unwrap();
        assert_eq!(public, [address("8.8.8.8")]);
        assert!(public_of(vec![address("10.0.0.1")]).is_err());
        assert!(public_of(Vec::new()).unwrap().is_empty());
    }
}
