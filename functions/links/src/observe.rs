//! Step 1, observe: the load balancers that fit, the account's VPC links, and who needs which of them.

use std::collections::BTreeMap;

use shared::aws::{BalancerSearch, NetworkLoadBalancer, VpcLink, VpcLinks};
use shared::error::Error;
use shared::front_door::links::{Link, Selector};
use shared::front_door::records::{FrontDoor, Publication, Route, Status};
use shared::front_door::{Backend, Name};
use shared::lease::Leased;
use shared::registry::{self, Registry};

use crate::plan::{Balancer, Present};
use crate::world::World;

/// The tag that says which Foregate has made a link.
pub const TAG: &str = "foregate";

/// What controllers write on the load balancers that they make, by the tag with the Service and the one with the cluster.
/// The last is the in-tree controller's, whose cluster is part of the tag's name.
/// <https://kubernetes-sigs.github.io/aws-load-balancer-controller/latest/guide/service/annotations/#resource-tags>
const SERVICE_TAGS: [(&str, &str); 3] = [
    ("service.k8s.aws/stack", "elbv2.k8s.aws/cluster"),
    ("service.eks.amazonaws.com/stack", "eks:eks-cluster-name"),
    ("kubernetes.io/service-name", "kubernetes.io/cluster/"),
];

/// The Network Load Balancers that fit.
pub async fn balancers<W: World>(world: &W, selector: &Selector) -> Result<Vec<Balancer>, Error> {
    let found = match selector {
        Selector::Arn(arn) => world.elb().by_arn(arn).await?,
        Selector::Name(name) => world.elb().by_name(name).await?,
        Selector::KubernetesService { .. } => world.elb().tagged().await?,
    };
    let fitting = found.into_iter().filter(|one| fits(selector, one));
    Ok(fitting
        .map(|one| Balancer {
            arn: one.arn,
            dns_name: one.dns_name,
            state: one.state,
            made_at_seconds: one.made_at_seconds,
        })
        .collect())
}

fn fits(selector: &Selector, found: &NetworkLoadBalancer) -> bool {
    let Selector::KubernetesService { cluster, namespace, name } = selector else {
        return true;
    };
    let service = format!("{namespace}/{name}");
    SERVICE_TAGS.iter().any(|(stack, of_cluster)| {
        let is_service = found.tags.get(*stack) == Some(&service);
        is_service
            && match of_cluster.ends_with('/') {
                true => found.tags.contains_key(&format!("{of_cluster}{cluster}")),
                false => found.tags.get(*of_cluster) == Some(cluster),
            }
    })
}

/// The account's VPC links.
pub async fn present<W: World>(world: &W) -> Result<Vec<Present>, Error> {
    let links = world.apis().vpc_links().await?;
    let present = |one: VpcLink| Present {
        is_ours: one.tags.get(TAG).is_some_and(|prefix| prefix == world.prefix()),
        id: one.id,
        status: one.status,
        message: one.message,
        target: one.target,
    };
    Ok(links.into_iter().map(present).collect())
}

/// The ids of links that something needs, and what: what is published on a front door, or another name.
pub async fn used<W: World>(world: &W, name: &Name) -> Result<BTreeMap<String, String>, Error> {
    let registry = Registry::new(world.table());
    let mut used = BTreeMap::new();
    for record in registry.list::<Leased<Publication>>(registry::publication_key("")).await? {
        let door = format!("the front door {}", record.key.sort);
        let Publication { links, next_links, .. } = record.value.value;
        used.extend(links.into_values().chain(next_links).map(|id| (id, door.clone())));
    }
    for link in all(world).await?.into_iter().filter(|link| link.name != *name && !link.deleted) {
        used.extend(link.ids().map(|id| (id.clone(), format!("the link {}", link.name))));
    }
    Ok(used)
}

/// All links that the registry has.
pub async fn all<W: World>(world: &W) -> Result<Vec<Link>, Error> {
    let records = Registry::new(world.table()).list::<Leased<Option<Link>>>(registry::link_key("")).await?;
    Ok(records.into_iter().filter_map(|record| record.value.value).collect())
}

/// The routes that are led through this name, those that are on their way out left out.
pub async fn routes_through<W: World>(world: &W, name: &Name) -> Result<Vec<String>, Error> {
    let registry = Registry::new(world.table());
    let doors = registry.list::<FrontDoor>(registry::front_door_key("")).await?;
    let private = |door: &Name| {
        let mut doors = doors.iter().map(|record| &record.value).filter(|one| !one.deleted);
        doors.any(|one| one.spec.name == *door && one.spec.private_api_link.as_ref() == Some(name))
    };
    let is_through = |route: &Route| match &route.spec.backend {
        Backend::Http { link, .. } => link == name,
        Backend::PrivateApi { .. } => private(&route.spec.front_door),
    };
    let routes = registry.list::<Route>(registry::route_key("route-")).await?;
    let routes = routes.into_iter().map(|record| record.value);
    let routes =
        routes.filter(|route| !matches!(route.status, Status::Deleting | Status::Deleted) && is_through(route));
    Ok(routes.map(|route| format!("{} of account {}", route.spec.path, route.owner)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_services_load_balancer_is_known_by_its_controllers_tags() {
        let selector =
            Selector::KubernetesService { cluster: "prod".into(), namespace: "shop".into(), name: "web".into() };
        for (tags, expected) in [
            (&[("service.k8s.aws/stack", "shop/web"), ("elbv2.k8s.aws/cluster", "prod")][..], true),
            (&[("service.k8s.aws/stack", "shop/web"), ("elbv2.k8s.aws/cluster", "test")], false),
            (&[("service.k8s.aws/stack", "shop/webs"), ("elbv2.k8s.aws/cluster", "prod")], false),
            (&[("service.k8s.aws/stack", "shop/web")], false),
            (&[("service.eks.amazonaws.com/stack", "shop/web"), ("eks:eks-cluster-name", "prod")], true),
            (&[("kubernetes.io/service-name", "shop/web"), ("kubernetes.io/cluster/prod", "owned")], true),
            (&[("kubernetes.io/service-name", "shop/web"), ("kubernetes.io/cluster/test", "owned")], false),
            (&[], false),
        ] {
            let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
            let found = NetworkLoadBalancer { tags, ..NetworkLoadBalancer::default() };
            assert_eq!(fits(&selector, &found), expected, "{found:?}");
        }
    }
}
