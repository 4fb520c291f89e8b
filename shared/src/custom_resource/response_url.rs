//! Where an answer may go. The URL comes with the request, so whoever can invoke the function could point it anywhere:
//! it is contacted only if it is CloudFormation's own bucket and its key names this very request.

use std::fmt;

use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use url::{Host, Url};

use crate::error::Error;

/// A pre-signed URL. Whoever has it can answer the request, so it never shows; it is serialised for the registry alone.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ResponseUrl(String);

impl ResponseUrl {
    /// Takes the URL as it came; [`ResponseUrl::check`] says whether it may be contacted.
    pub fn new(url: impl Into<String>) -> Self {
        Self(url.into())
    }

    pub(super) fn expose(&self) -> &str {
        &self.0
    }

    /// When the URL was signed (`X-Amz-Date`), in seconds since the epoch.
    pub fn signed_at_seconds(&self) -> Option<u64> {
        let url = Url::parse(&self.0).ok()?;
        let (_, date) = url.query_pairs().find(|(name, _)| name == "X-Amz-Date")?;
        let date = chrono::NaiveDateTime::parse_from_str(&date, "%Y%m%dT%H%M%SZ").ok()?;
        u64::try_from(date.and_utc().timestamp()).ok()
    }

    /// The URL to contact, if it may be: on the bucket for the stack's `region`, with this `key`, or on an allowed host.
    ///
    /// `home` is the region that the function runs in, where that is known: CloudFormation calls functions of the
    /// stack's own region only, and a region that does not exist would have a bucket that anyone could make.
    pub(super) fn check(
        &self,
        region: &str,
        key: &str,
        allowed: &AllowedHosts,
        home: Option<&str>,
    ) -> Result<Url, Error> {
        let refused = |why: &str| Error::forbidden(format!("ResponseURL is not CloudFormation's: {why}"));
        let url = Url::parse(&self.0).map_err(|_| refused("it is not a URL"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(refused("it carries a user name"));
        }
        if allowed.admit(&url) {
            return Ok(url);
        }
        if url.scheme() != "https" {
            return Err(refused("it is not https"));
        }
        if url.port_or_known_default() != Some(443) {
            return Err(refused("its port is not 443"));
        }
        let Some(Host::Domain(host)) = url.host() else {
            return Err(refused("its host is an address"));
        };
        if !bucket_hosts(region).iter().any(|bucket| bucket == host) {
            return Err(refused("its host is not the bucket for the stack's region"));
        }
        if home.is_some_and(|home| home != region) {
            return Err(refused("the stack is in another region than this function"));
        }
        if !self.names(key, &url) {
            return Err(refused("its key does not name this request"));
        }
        Ok(url)
    }

    /// The key has to stand in the text as it came: where a URL parser reads another path (it resolves dots, turns
    /// backslashes), somebody is playing with the difference.
    fn names(&self, key: &str, url: &Url) -> bool {
        let after_scheme = self.0.split_once("://").map_or("", |(_, rest)| rest);
        let written = after_scheme.split(['?', '#']).next().and_then(|rest| rest.split_once('/'));
        let as_read = written.filter(|(_, path)| url.path().strip_prefix('/') == Some(path));
        as_read.is_some_and(|(_, path)| percent_decode_str(path).decode_utf8().is_ok_and(|named| named == key))
    }
}

impl fmt::Debug for ResponseUrl {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("ResponseUrl(…)")
    }
}

/// The hosts under which CloudFormation's bucket for a region has been seen. Its name has the region without dashes.
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/cfn-vpce-bucketnames.html>
fn bucket_hosts(region: &str) -> Vec<String> {
    let bucket = format!("cloudformation-custom-resource-response-{}", region.replace('-', ""));
    let domain = match region.split('-').next() {
        Some("cn") => "amazonaws.com.cn",
        Some("eusc") => "amazonaws.eu",
        _ => "amazonaws.com",
    };
    vec![
        format!("{bucket}.s3.{domain}"),
        format!("{bucket}.s3.{region}.{domain}"),
        format!("{bucket}.s3-{region}.{domain}"),
    ]
}

/// Further hosts that a response URL may name, http allowed: for tests, whose CloudFormation has no bucket of AWS's.
/// The key is not held against the request there: ministack's URLs (`/_ministack/cfn-response/TOKEN`) do not name it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AllowedHosts(Vec<String>);

impl AllowedHosts {
    /// From the value of `FOREGATE_RESPONSE_HOSTS`: `host:port`s, separated by commas.
    pub fn parse(value: &str) -> Self {
        Self(value.split(',').map(str::trim).filter(|host| !host.is_empty()).map(str::to_owned).collect())
    }

    fn admit(&self, url: &Url) -> bool {
        let Some((host, port)) = url.host_str().zip(url.port_or_known_default()) else {
            return false;
        };
        matches!(url.scheme(), "http" | "https") && self.0.contains(&format!("{host}:{port}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "cloudformation-custom-resource-response-euwest1.s3-eu-west-1.amazonaws.com";
    const KEY: &str = "arn%3Aaws%3Acloudformation%3Aeu-west-1%3A111122223333%3Astack/pets/9a8b%7CPets%7Cr1";

    fn key(partition: &str, region: &str) -> String {
        format!("arn:{partition}:cloudformation:{region}:111122223333:stack/pets/9a8b|Pets|r1")
    }

    fn check(url: &str, allowed: &str) -> Result<Url, Error> {
        ResponseUrl::new(url).check("eu-west-1", &key("aws", "eu-west-1"), &AllowedHosts::parse(allowed), None)
    }

    #[test]
    fn cloudformations_own_urls_are_accepted() {
        for host in [
            HOST,
            "cloudformation-custom-resource-response-euwest1.s3.amazonaws.com",
            "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com",
            "cloudformation-custom-resource-response-euwest1.s3.eu-west-1.amazonaws.com:443",
        ] {
            assert!(
                check(&format!("https://{host}/{KEY}?X-Amz-Date=20261120T101112Z&X-Amz-Signature=abc"), "").is_ok()
            );
        }
    }

    #[test]
    fn every_partition_has_its_domain() {
        for (partition, region, host) in [
            ("aws", "us-east-1", "useast1.s3.amazonaws.com"),
            ("aws", "ap-southeast-1", "apsoutheast1.s3-ap-southeast-1.amazonaws.com"),
            ("aws-cn", "cn-north-1", "cnnorth1.s3.cn-north-1.amazonaws.com.cn"),
            ("aws-us-gov", "us-gov-west-1", "usgovwest1.s3.us-gov-west-1.amazonaws.com"),
            ("aws-eusc", "eusc-de-east-1", "euscdeeast1.s3.eusc-de-east-1.amazonaws.eu"),
        ] {
            let key = key(partition, region);
            let path = key.replace(':', "%3A").replace('|', "%7C");
            let url = format!("https://cloudformation-custom-resource-response-{host}/{path}?X-Amz-Date=x");
            let checked = ResponseUrl::new(&url).check(region, &key, &AllowedHosts::default(), Some(region));
            assert!(checked.is_ok(), "{url}");
        }
    }

    #[test]
    fn a_region_that_is_not_the_functions_own_is_refused() {
        let url = format!("https://{HOST}/{KEY}").replace("euwest1", "euwest9").replace("eu-west-1", "eu-west-9");
        let check = |home| {
            let key = key("aws", "eu-west-9");
            ResponseUrl::new(&url).check("eu-west-9", &key, &AllowedHosts::default(), Some(home))
        };
        assert!(check("eu-west-9").is_ok());
        let error = check("eu-west-1").unwrap_err();
        assert!(error.message.ends_with("the stack is in another region than this function"), "{error}");
    }

    #[test]
    fn any_other_url_is_refused_and_never_shown() {
        let other_request = KEY.replace("r1", "r2");
        let other_stack = KEY.replace("9a8b", "ffff");
        let other_resource = KEY.replace("Pets", "Dogs");
        for (url, why) in [
            (format!("http://{HOST}/{KEY}"), "it is not https"),
            (format!("ftp://{HOST}/{KEY}"), "it is not https"),
            (format!("https://{HOST}:8443/{KEY}"), "its port is not 443"),
            (format!("https://{HOST}@evil.example/{KEY}"), "it carries a user name"),
            (format!("https://me:secret@{HOST}/{KEY}"), "it carries a user name"),
            (format!("https://{HOST}.evil.example/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://evil.example/{HOST}/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://evil-{HOST}/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://evil.example\\@{HOST}/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://evil.example#@{HOST}/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://evil.example?@{HOST}/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://{HOST}./{KEY}"), "its host is not the bucket for the stack's region"),
            (
                format!("https://{}/{KEY}", HOST.replace("s3-eu", "s3.dualstack.eu")),
                "its host is not the bucket for the stack's region",
            ),
            (format!("https://{HOST}%2F.evil.example/{KEY}"), "it is not a URL"),
            (format!("https://{HOST}%00.evil.example/{KEY}"), "it is not a URL"),
            (format!("https://0x7f.1/{KEY}"), "its host is an address"),
            (format!("https://{HOST}:0443443/{KEY}"), "it is not a URL"),
            (format!("file:///{HOST}/{KEY}"), "it is not https"),
            (format!("data:{HOST}/{KEY}"), "it is not https"),
            (
                format!("https://{}/{KEY}", HOST.replace("euwest1", "useast1")),
                "its host is not the bucket for the stack's region",
            ),
            (
                format!("https://{}/{KEY}", HOST.replace("s3-eu-west-1", "s3-us-east-1")),
                "its host is not the bucket for the stack's region",
            ),
            (
                format!("https://{}/{KEY}", HOST.replace("amazonaws.com", "amazonaws.com.cn")),
                "its host is not the bucket for the stack's region",
            ),
            (format!("https://my-bucket.s3.amazonaws.com/{KEY}"), "its host is not the bucket for the stack's region"),
            (
                format!("https://s3.amazonaws.com/cloudformation-custom-resource-response-euwest1/{KEY}"),
                "its host is not the bucket for the stack's region",
            ),
            (format!("https://169.254.169.254/{KEY}"), "its host is an address"),
            (format!("https://[::1]/{KEY}"), "its host is an address"),
            (format!("https://2130706433/{KEY}"), "its host is an address"),
            (format!("https://localhost/{KEY}"), "its host is not the bucket for the stack's region"),
            (format!("https://{HOST}/{other_request}"), "its key does not name this request"),
            (format!("https://{HOST}/{other_stack}"), "its key does not name this request"),
            (format!("https://{HOST}/{other_resource}"), "its key does not name this request"),
            (format!("https://{HOST}/x/../{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/%2e%2e/{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/./{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/x%2F..%2F{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/%2F{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/{}", KEY.replace("%7C", "%257C")), "its key does not name this request"),
            (format!("https://{HOST}/{}", KEY.replace("r1", "r1%00")), "its key does not name this request"),
            (format!("https://{HOST}/{}", KEY.replace("r1", "r%ff")), "its key does not name this request"),
            (format!("https://{HOST}/{}", KEY.replace("stack/", "stack/\t")), "its key does not name this request"),
            (format!("https://{HOST}\\@evil.example/{KEY}"), "its key does not name this request"),
            (format!("https:\\\\{HOST}/{KEY}"), "its key does not name this request"),
            (format!("https:{HOST}/{KEY}"), "its key does not name this request"),
            (format!("https:///{HOST}/{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/#/{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}//{KEY}"), "its key does not name this request"),
            (format!("https://{HOST}/"), "its key does not name this request"),
            (format!("https://{HOST}/{KEY}%7Cmore"), "its key does not name this request"),
            (format!("https://{HOST}/?{KEY}"), "its key does not name this request"),
            ("not a url".to_owned(), "it is not a URL"),
        ] {
            let error = check(&url, "").unwrap_err();
            assert_eq!(error.message, format!("ResponseURL is not CloudFormation's: {why}"), "{url}");
        }
    }

    #[test]
    fn a_test_may_allow_its_own_host_and_no_other() {
        let allowed = "127.0.0.1:4566, localhost:4566";
        assert!(check("http://127.0.0.1:4566/_cfn/token", allowed).is_ok());
        assert!(check("http://localhost:4566/_cfn/token", allowed).is_ok());
        for url in [
            "http://127.0.0.1:4567/_cfn/token",
            "http://127.0.0.1/_cfn/token",
            "http://me:secret@127.0.0.1:4566/_cfn/token",
            "http://127.0.0.1:4566@evil.example/_cfn/token",
            "http://127.0.0.1:4566.evil.example/_cfn/token",
            "file://127.0.0.1:4566/etc/passwd",
        ] {
            assert!(check(url, allowed).is_err(), "{url}");
        }
        assert!(check("http://127.0.0.1:4566/_cfn/token", "").is_err());
        assert!(check("http://127.0.0.1:4566/_cfn/token", " , ,").is_err());
    }

    #[test]
    fn a_url_does_not_show_when_it_is_printed() {
        assert!(!format!("{:?}", ResponseUrl::new("https://x/?X-Amz-Signature=abc")).contains("abc"));
    }
}
