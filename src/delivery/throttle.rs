//! How long a receiver asks to be left alone: `Retry-After` and `RateLimit`.
//! <https://www.rfc-editor.org/rfc/rfc9110#section-10.2.3>, <https://datatracker.ietf.org/doc/draft-ietf-httpapi-ratelimit-headers/>

use std::time::Duration;

/// The longest anybody is waited for at one time.
const LONGEST: Duration = Duration::from_secs(3600);

/// The longer of what both headers ask for.
pub fn wait(retry_after: Option<&str>, rate_limit: Option<&str>) -> Option<Duration> {
    let after = retry_after.and_then(|text| text.trim().parse().ok());
    let limit = rate_limit.and_then(exhausted);
    after.into_iter().chain(limit).max().map(|seconds| Duration::from_secs(seconds).min(LONGEST))
}

/// Seconds until a limit is renewed of which nothing remains: `"name";r=0;t=29`.
pub fn exhausted(rate_limit: &str) -> Option<u64> {
    let limits = rate_limit.split(',').filter_map(|limit| {
        let parameter =
            |name: &str| limit.split(';').find_map(|part| part.trim().strip_prefix(name)?.parse::<u64>().ok());
        (parameter("r=")? == 0).then(|| parameter("t="))?
    });
    limits.max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_limits_that_are_used_up_are_waited_for() {
        assert_eq!(exhausted(r#""a";r=0;t=5, "b";r=0;t=9, "c";r=1;t=99"#), Some(9));
        assert_eq!(exhausted(r#""a";r=3;t=5"#), None);
        assert_eq!(exhausted("nonsense"), None);
        assert_eq!(wait(Some("Fri, 31 Dec 1999 23:59:59 GMT"), None), None);
        assert_eq!(wait(Some("999999"), None), Some(LONGEST));
    }
}
