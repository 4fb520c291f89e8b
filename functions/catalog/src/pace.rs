//! How fast an account's API Gateway is asked. Its control plane takes 10 calls a second and 40 at once, of everybody together:
//! the catalogue takes half of that at most.
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/limits.html#api-gateway-control-service-limits-table>

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};

use governor::{DefaultDirectRateLimiter, Quota, RateLimiter};

use crate::record::Place;

/// What may be asked at once, for each call a second: API Gateway's own proportion.
const BURST: u32 = 4;

/// The pace of each place. A place is scanned by one invocation at a time, which is why it can be kept here.
#[derive(Debug)]
pub struct Paces {
    quota: Quota,
    by_place: Mutex<BTreeMap<Place, Arc<DefaultDirectRateLimiter>>>,
}

impl Paces {
    /// So many calls a second, at each place.
    pub fn new(calls_per_second: NonZeroU32) -> Self {
        let burst = calls_per_second.saturating_mul(NonZeroU32::MIN.saturating_add(BURST - 1));
        Self { quota: Quota::per_second(calls_per_second).allow_burst(burst), by_place: Mutex::default() }
    }

    /// The pace of a place.
    pub fn of(&self, place: &Place) -> Arc<DefaultDirectRateLimiter> {
        let mut by_place = self.by_place.lock().unwrap_or_else(PoisonError::into_inner);
        let pace = by_place.entry(place.clone()).or_insert_with(|| Arc::new(RateLimiter::direct(self.quota)));
        pace.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_has_half_of_its_own_rate_whatever_others_use() {
        let paces = Paces::new(NonZeroU32::new(5).unwrap());
        let place = |account: &str| Place { account: account.parse().unwrap(), region: "eu-west-1".parse().unwrap() };
        let (one, other) = (paces.of(&place("111122223333")), paces.of(&place("444455556666")));
        let at_once = (0..100).take_while(|_| one.check().is_ok()).count();
        assert_eq!(at_once, 20);
        assert!(other.check().is_ok());
        assert!(paces.of(&place("111122223333")).check().is_err(), "the next look at the place goes on with its pace");
    }
}
