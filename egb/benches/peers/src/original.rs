//! The algorithm of the Python original, written anew in Rust: a pick at random by weight over the running sums of
//! all available keys, made anew each time, then the health of a success.

use rand::RngExt;

struct Key {
    text: String,
    weight: f64,
    is_available: bool,
    errors: u32,
}

/// Nanoseconds of a pick and its end.
pub fn time(keys: usize) -> f64 {
    let mut rng = rand::rng();
    let key = |text| Key { text, weight: rng.random_range(0.5..2.0), is_available: true, errors: 0 };
    let mut keys: Vec<Key> = super::texts(keys).map(key).collect();
    let mut rng = rand::rng();
    super::fastest(|| {
        let mut sums = Vec::new();
        let mut sum = 0.0;
        for (number, key) in keys.iter().enumerate().filter(|(_, key)| key.is_available) {
            sum += key.weight;
            sums.push((sum, number));
        }
        let wanted = rng.random_range(0.0..sum);
        let (_, picked) = *sums.iter().find(|(sum, _)| *sum >= wanted).expect("the last sum is above all");
        let key = &mut keys[picked];
        key.errors = 0;
        if key.weight < 10.0 {
            key.weight = (key.weight * 1.1).min(10.0);
        }
        std::hint::black_box(key.text.clone());
    })
}
