//! Waiting for conditions.

use std::future::Future;
use std::time::Duration;

use alula_rt::clock;

/// How long a condition may take. Ten times what the slowest machine needs: it ends hung tests, it
/// is never what a test is about.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How often a condition is looked at.
const STEP: Duration = Duration::from_millis(5);

/// Waits until a condition holds and panics with its description when it does not within
/// [`PATIENCE`].
pub async fn eventually<F: Future<Output = bool>>(what: &str, mut condition: impl FnMut() -> F) {
    let until = clock::now() + PATIENCE;
    while !condition().await {
        assert!(clock::now() < until, "waited {PATIENCE:?} in vain until {what}");
        clock::sleep(STEP).await;
    }
}

/// Waits for a future and panics with its description when it does not end within [`PATIENCE`].
pub async fn patiently<T>(what: &str, future: impl Future<Output = T>) -> T {
    match clock::timeout(PATIENCE, future).await {
        Ok(value) => value,
        Err(_) => panic!("waited {PATIENCE:?} in vain for {what}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_condition_is_looked_at_until_it_holds() {
        let mut looks = 0;
        eventually("three looks", || {
            looks += 1;
            std::future::ready(looks == 3)
        })
        .await;
        assert_eq!(looks, 3);
    }
}
