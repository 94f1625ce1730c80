//! Which addresses belong to the public internet, and which lead inside.
//!
//! Sources: the IANA registries of special-purpose addresses (IPv4 and IPv6, RFC 6890), as of 2025.
//! An address is public only when nothing says otherwise; for IPv6 only 2000::/3 is given out at
//! all.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Not the public internet, in CIDR notation, ascending.
const SPECIAL_V4: [(Ipv4Addr, u32); 17] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8), // this network, and 0.0.0.0 means this machine
    (Ipv4Addr::new(10, 0, 0, 0), 8), // private
    (Ipv4Addr::new(100, 64, 0, 0), 10), // behind a carrier's NAT
    (Ipv4Addr::new(127, 0, 0, 0), 8), // loopback
    (Ipv4Addr::new(168, 63, 129, 16), 32), // answers every Azure machine as its platform
    (Ipv4Addr::new(169, 254, 0, 0), 16), // link-local, and the metadata of most clouds
    (Ipv4Addr::new(172, 16, 0, 0), 12), // private
    (Ipv4Addr::new(192, 0, 0, 0), 24), // protocol assignments
    (Ipv4Addr::new(192, 0, 2, 0), 24), // documentation
    (Ipv4Addr::new(192, 88, 99, 0), 24), // 6to4 relays, which are gone
    (Ipv4Addr::new(192, 168, 0, 0), 16), // private
    (Ipv4Addr::new(198, 18, 0, 0), 15), // benchmarks of networks
    (Ipv4Addr::new(198, 51, 100, 0), 24), // documentation
    (Ipv4Addr::new(203, 0, 113, 0), 24), // documentation
    (Ipv4Addr::new(224, 0, 0, 0), 4), // multicast
    (Ipv4Addr::new(240, 0, 0, 0), 4), // reserved
    (Ipv4Addr::new(255, 255, 255, 255), 32), // broadcast
];

/// Within 2000::/3 and yet not the public internet.
const SPECIAL_V6: [(Ipv6Addr, u32); 3] = [
    // Protocol assignments, Teredo tunnels among them.
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23),
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32), // documentation
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),     // documentation
];

/// Whether an address is one of the public internet. Addresses that carry another one (IPv4-mapped,
/// 6to4, NAT64) are what they carry.
pub fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    !SPECIAL_V4.iter().any(|(network, bits)| {
        let differ = address.to_bits() ^ network.to_bits();
        differ.leading_zeros() >= *bits
    })
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let within = |network: Ipv6Addr, bits: u32| {
        (address.to_bits() ^ network.to_bits()).leading_zeros() >= bits
    };
    let carried = |shift: u32| {
        let bits = (address.to_bits() >> shift) & u128::from(u32::MAX);
        is_public_v4(Ipv4Addr::from_bits(u32::try_from(bits).expect("masked to 32 bits")))
    };
    // RFC 6052 section 2.1: NAT64 carries the IPv4 address in its last 32 bits.
    if within(Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0), 96) {
        return carried(0);
    }
    // RFC 3056 section 2: 6to4 carries it after its first 16 bits.
    if within(Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16) {
        return carried(80);
    }
    within(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3)
        && !SPECIAL_V6.iter().any(|(network, bits)| within(*network, *bits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn public(text: &str) -> bool {
        is_public(text.parse().unwrap_or_else(|_| panic!("{text} is no address")))
    }

    #[test]
    fn special_ranges_are_refused_from_their_first_to_their_last_address() {
        for (first, last) in [
            ("0.0.0.0", "0.255.255.255"),
            ("10.0.0.0", "10.255.255.255"),
            ("100.64.0.0", "100.127.255.255"),
            ("127.0.0.0", "127.255.255.255"),
            ("168.63.129.16", "168.63.129.16"),
            ("169.254.0.0", "169.254.255.255"),
            ("172.16.0.0", "172.31.255.255"),
            ("192.0.0.0", "192.0.0.255"),
            ("192.0.2.0", "192.0.2.255"),
            ("192.88.99.0", "192.88.99.255"),
            ("192.168.0.0", "192.168.255.255"),
            ("198.18.0.0", "198.19.255.255"),
            ("198.51.100.0", "198.51.100.255"),
            ("203.0.113.0", "203.0.113.255"),
            ("224.0.0.0", "255.255.255.255"),
        ] {
            assert!(!public(first), "{first}");
            assert!(!public(last), "{last}");
            let step = |text: &str, by: i64| {
                let bits = i64::from(text.parse::<Ipv4Addr>().unwrap().to_bits()) + by;
                u32::try_from(bits).ok().map(|bits| Ipv4Addr::from_bits(bits).to_string())
            };
            for beside in [step(first, -1), step(last, 1)].into_iter().flatten() {
                assert!(public(&beside), "{beside} lies beside {first} to {last}");
            }
        }
    }

    #[test]
    fn ipv6_is_public_only_where_it_is_given_out() {
        for text in ["2606:4700::1111", "2a00:1450:4001::1", "2001:200::1", "3ffe::1", "2001:db9::"]
        {
            assert!(public(text), "{text}");
        }
        for text in [
            "::",
            "::1",
            "::127.0.0.1",
            "::8.8.8.8",
            "100::1",
            "64:ff9b:1::8.8.8.8",
            "fc00::1",
            "fdff::1",
            "fe80::1",
            "fec0::1",
            "ff02::1",
            "2001::1",
            "2001:0:4136:e378::1",
            "2001:1ff::",
            "2001:db8::1",
            "2001:db8:ffff::",
            "3fff::1",
            "3fff:fff::1",
            "1fff::1",
            "4000::1",
            "5f00::1",
        ] {
            assert!(!public(text), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_carried_address_counts_like_itself(bits: u32, near in 0..SPECIAL_V4.len(), low: u8) {
            for v4 in [bits, SPECIAL_V4[near].0.to_bits() | u32::from(low)] {
                let v4 = Ipv4Addr::from_bits(v4);
                let want = is_public(v4.into());
                prop_assert_eq!(is_public(v4.to_ipv6_mapped().into()), want);
                let nat64 = (0x0064_ff9b_u128 << 96) | u128::from(v4.to_bits());
                prop_assert_eq!(is_public(Ipv6Addr::from_bits(nat64).into()), want);
                let six_to_four = (0x2002_u128 << 112) | (u128::from(v4.to_bits()) << 80) | 1;
                prop_assert_eq!(is_public(Ipv6Addr::from_bits(six_to_four).into()), want);
            }
        }
    }
}
