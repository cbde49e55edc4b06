//! Rates: so much at once, and so much as time goes by.

use std::time::Duration;

use tokio::time::Instant;

/// How often something may be done: the parameters of a token bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    burst: u32,
    every: Duration,
}

impl Rate {
    /// `burst` at once, and `count` more each second; nought of either counts as one.
    #[must_use]
    pub fn per_second(burst: u32, count: u32) -> Self {
        Self::per(Duration::from_secs(1), burst, count)
    }

    /// `burst` at once, and `count` more each minute; nought of either counts as one.
    #[must_use]
    pub fn per_minute(burst: u32, count: u32) -> Self {
        Self::per(Duration::from_secs(60), burst, count)
    }

    fn per(time: Duration, burst: u32, count: u32) -> Self {
        Self {
            burst: burst.max(1),
            every: time / count.max(1),
        }
    }
}

/// A bucket of permits that fills with time; kept as the moment when it will be full again, so
/// that nothing has to fill it (the generic cell rate algorithm of ATM Forum TM 4.0).
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// use chatcore::routing::{Bucket, Rate};
///
/// let mut bucket = Bucket::new(Rate::per_second(2, 10));
/// assert!(bucket.take().is_ok() && bucket.take().is_ok());
/// let after = bucket.take().expect_err("two at once");
/// assert!(after.as_millis() <= 100);
/// # });
/// ```
#[derive(Debug)]
pub struct Bucket {
    rate: Rate,
    full_at: Instant,
}

impl Bucket {
    /// A full one.
    #[must_use]
    pub fn new(rate: Rate) -> Self {
        Self {
            rate,
            full_at: Instant::now(),
        }
    }

    /// Takes a permit.
    ///
    /// # Errors
    /// When it is empty: how long until there is one.
    pub fn take(&mut self) -> Result<(), Duration> {
        let now = Instant::now();
        let full_at = self.full_at.max(now) + self.rate.every;
        let room = self.rate.every * self.rate.burst;
        let beyond = full_at.duration_since(now).saturating_sub(room);
        if !beyond.is_zero() {
            return Err(beyond);
        }
        self.full_at = full_at;
        Ok(())
    }

    /// Whether it is as a new one.
    pub(super) fn is_full(&self) -> bool {
        self.full_at <= Instant::now()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_bucket_lets_a_burst_through_and_then_its_rate() {
        let mut bucket = Bucket::new(Rate::per_second(3, 10));
        for _ in 0..3 {
            bucket.take().unwrap();
        }
        let after = bucket.take().unwrap_err();
        assert_eq!(after, Duration::from_millis(100));
        assert!(!bucket.is_full());
        tokio::time::advance(after).await;
        bucket.take().unwrap();
        assert!(bucket.take().is_err());
        tokio::time::advance(Duration::from_secs(60)).await;
        assert!(bucket.is_full());
        for _ in 0..3 {
            bucket.take().unwrap();
        }
        assert!(bucket.take().is_err());
    }
}
