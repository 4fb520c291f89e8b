//! The VPC's name server, behind [`Names`]. Asked anew each time: what a cache would hold back is what is looked for.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::OnceLock;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;

use super::{Answer, AwsError, Cause, Names};
use crate::types::HostName;

const OPERATION: &str = "DNS A";
const ATTEMPTS: usize = 3;
const ATTEMPT_SECONDS_MAX: u64 = 3;

/// A client of the name server that the system names, or of another one.
#[derive(Default)]
pub struct NameServer {
    other: Option<SocketAddr>,
    resolver: OnceLock<TokioResolver>,
}

impl NameServer {
    /// The system's name server, or `other`. Makes no call, and reads no file before the first look-up.
    pub fn new(other: Option<SocketAddr>) -> Self {
        Self { other, resolver: OnceLock::new() }
    }

    fn resolver(&self) -> Result<&TokioResolver, NetError> {
        if let Some(resolver) = self.resolver.get() {
            return Ok(resolver);
        }
        let mut builder = match self.other {
            None => TokioResolver::builder_tokio()?,
            Some(server) => {
                let mut config = NameServerConfig::udp_and_tcp(server.ip());
                config.connections.iter_mut().for_each(|connection| connection.port = server.port());
                let config = ResolverConfig::from_name_servers(vec![config]);
                TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
            }
        };
        *builder.options_mut() = options(builder.options_mut());
        let built = builder.build()?;
        Ok(self.resolver.get_or_init(|| built))
    }
}

fn options(system: &ResolverOpts) -> ResolverOpts {
    let mut options = system.clone();
    options.ip_strategy = LookupIpStrategy::Ipv4Only;
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    options.attempts = ATTEMPTS;
    options.timeout = Duration::from_secs(ATTEMPT_SECONDS_MAX);
    options
}

impl Names for NameServer {
    async fn addresses(&self, host: &HostName) -> Answer<BTreeSet<Ipv4Addr>> {
        let failed = |error: &NetError| AwsError {
            operation: OPERATION,
            subject: host.to_string(),
            cause: Cause::Unavailable,
            code: String::new(),
            message: error.to_string(),
        };
        let resolver = self.resolver().map_err(|error| failed(&error))?;
        // With the dot at its end, a name is whole and no search domain is tried.
        match resolver.lookup_ip(format!("{host}.")).await {
            Ok(found) => Ok(found.iter().filter_map(ipv4).collect()),
            Err(error) if error.is_no_records_found() => Ok(BTreeSet::new()),
            Err(error) => Err(failed(&error)),
        }
    }
}

fn ipv4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}
