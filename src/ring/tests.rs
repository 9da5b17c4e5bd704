//! The frozen mapping, and the balance and stability of the ring.

use super::*;
use proptest::prelude::*;

fn owner<'a>(ring: &Ring, names: &[&'a str], key: &str) -> &'a str {
    names[ring.owner(key_hash(key.as_bytes()))]
}

fn ring_of(names: &[&str]) -> Ring {
    Ring::new(names.iter().map(|name| (*name, Weight::ONE)))
}

#[test]
fn golden_rows_never_change() {
    let names = ["a", "b", "c", "d"];
    let ring = ring_of(&names);
    let rows: Vec<_> =
        GOLDEN.iter().map(|(key, ..)| (*key, key_hash(key.as_bytes()), owner(&ring, &names, key))).collect();
    assert_eq!(rows, GOLDEN);
    assert_eq!(rendezvous_score(key_hash(b"user:1"), node_seed("10.0.0.1:6379")), GOLDEN_SCORE);
}

const GOLDEN: &[(&str, u64, &str)] = &[
    ("user:1", 4_276_021_600_403_166_465, "b"),
    ("user:2", 7_611_143_205_425_994_754, "c"),
    ("session:abc", 55_939_712_084_599_036, "d"),
    ("{user:1}:name", 4_276_021_600_403_166_465, "b"),
    ("ключ", 11_102_353_883_453_021_918, "c"),
    ("a", 16_629_034_431_890_738_719, "d"),
    ("order:1000", 4_779_611_797_287_490_007, "d"),
];
const GOLDEN_SCORE: u64 = 13_581_431_061_387_051_861;

#[test]
fn the_order_in_which_shards_are_listed_does_not_matter() {
    let (one, other) = (["a", "b", "c"], ["c", "a", "b"]);
    let (ring, shuffled) = (ring_of(&one), ring_of(&other));
    for number in 0..10_000 {
        let key = format!("key:{number}");
        assert_eq!(owner(&ring, &one, &key), owner(&shuffled, &other, &key));
    }
}

#[test]
fn the_fullest_of_sixteen_equal_shards_holds_at_most_a_tenth_more_than_the_mean() {
    let names: Vec<String> = (0..16).map(|number| format!("shard-{number}")).collect();
    let ring = Ring::new(names.iter().map(|name| (name.as_str(), Weight::ONE)));
    let mut held = [0u32; 16];
    for number in 0..1_000_000 {
        held[ring.owner(key_hash(format!("user:{number}").as_bytes()))] += 1;
    }
    let fullest = f64::from(*held.iter().max().expect("sixteen shards"));
    assert!(fullest <= 1.10 * 62_500.0, "the fullest shard holds {fullest} of a mean of 62500");
    let shares = ring.shares(16);
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-9);
    for (share, held) in shares.iter().zip(held) {
        assert!((share - f64::from(held) / 1e6).abs() < 0.002, "a share of {share} but {held} keys of a million");
    }
}

#[test]
fn a_shard_of_weight_three_holds_three_times_as_many_keys() {
    let ring = Ring::new([("small", Weight::ONE), ("large", Weight::whole(3))]);
    let large = (0..100_000).filter(|number| ring.owner(key_hash(format!("{number}").as_bytes())) == 1).count();
    assert!(
        (72_000..78_000).contains(&large),
        "the shard with three quarters of the weight has {large} of 100000 keys"
    );
}

#[test]
fn a_shard_that_grows_in_steps_takes_few_keys_at_a_time_and_gives_none_away() {
    let keys: Vec<u64> = (0..100_000).map(|number| key_hash(format!("user:{number}").as_bytes())).collect();
    let mut before: Vec<usize> = vec![0; keys.len()];
    let old = ["a", "b", "c"].map(|name| (name, Weight::ONE));
    let mut owners = Ring::new(old);
    for (position, key) in keys.iter().enumerate() {
        before[position] = owners.owner(*key);
    }
    for weight in ["0.1", "0.25", "0.5", "0.75", "1"] {
        let weight: Weight = weight.parse().expect("a weight");
        owners = Ring::new(old.into_iter().chain([("d", weight)]));
        let mut moved = 0;
        for (key, was) in keys.iter().zip(&mut before) {
            let now = owners.owner(*key);
            assert!(now == *was || now == 3, "a key moved from {was} to {now}");
            moved += usize::from(now != *was);
            *was = now;
        }
        assert!((1..9_000).contains(&moved), "{moved} of 100000 keys moved to a weight of {weight}");
    }
    assert_eq!(owners, Ring::new([("a", Weight::ONE), ("b", Weight::ONE), ("c", Weight::ONE), ("d", Weight::ONE)]));
}

#[test]
fn removing_a_shard_moves_only_its_own_keys() {
    let (before, after) = (["a", "b", "c", "d"], ["a", "b", "d"]);
    let (full, reduced) = (ring_of(&before), ring_of(&after));
    for number in 0..50_000 {
        let key = format!("session:{number}");
        let was = owner(&full, &before, &key);
        if was != "c" {
            assert_eq!(owner(&reduced, &after, &key), was);
        }
    }
}

#[test]
fn a_tag_keeps_keys_together() {
    for (key, tag) in
        [("{user:1}:name", "user:1"), ("a{b}c{d}", "b"), ("{}a", "{}a"), ("a{", "a{"), ("a}b", "a}b"), ("{{x}}", "{x")]
    {
        assert_eq!(hash_tag(key.as_bytes()), tag.as_bytes(), "{key}");
    }
}

proptest! {
    #[test]
    fn every_hash_has_an_owner(hash in any::<u64>(), shards in 1u32..20) {
        let names: Vec<String> = (0..shards).map(|number| number.to_string()).collect();
        let ring = Ring::new(names.iter().map(|name| (name.as_str(), Weight::ONE)));
        prop_assert!(ring.owner(hash) < names.len());
        prop_assert!(ring.owner(u64::MAX) < names.len());
    }
}
