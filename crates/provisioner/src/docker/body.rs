//! How containers are made: every line of the isolation is here.

use std::collections::{BTreeMap, HashMap};

use bollard::models::{
    ContainerCreateBody, HealthConfig, HostConfig, HostConfigCgroupnsModeEnum, HostConfigLogConfig,
    ImageConfig, ImageInspect, ResourcesUlimits, RestartPolicy, RestartPolicyNameEnum,
};
use domain::expose;
use rustix::process::{Resource, getrlimit};

use crate::{Limits, Rule, Spec};

pub(super) const INSTALLATION: &str = "ai.agentarea.installation";
pub(super) const SERVER: &str = "ai.agentarea.server";
pub(super) const WORKSPACE: &str = "ai.agentarea.workspace";
pub(super) const REVISION: &str = "ai.agentarea.revision";
pub(super) const FENCE: &str = "ai.agentarea.fence";
pub(super) const PART: &str = "ai.agentarea.part";
/// The value of [`PART`] for the container with the tool server.
pub(super) const PART_SERVER: &str = "server";
/// The value of [`PART`] for the container with the relay.
pub(super) const PART_RELAY: &str = "relay";

/// Nobody: on hosts and in images there is no such account.
const USER: &str = "65532:65532";
const OPEN_FILES: i64 = 1024;
/// Processes of one user on the whole host: what Podman's service allows itself.
const MAX_PROCESSES: i64 = 32_768;
const SHARED_MEMORY: i64 = 16 << 20;
/// Where the relay listens for proxy requests.
const PROXY: &str = "127.0.0.1:3128";
/// Hosts that are reached without a proxy, by an address that stands for them.
const MAX_DIRECT_HOSTS: usize = 30;

/// Describes a container: spec, installation, image, network.
pub(super) type Make = fn(&Spec, &str, &ImageInspect, String) -> ContainerCreateBody;

/// The container in which a package is installed: as confined, but its files can be written to,
/// for they become the image.
pub(super) fn builder(
    spec: &Spec,
    installation: &str,
    image: &ImageInspect,
    network: String,
) -> ContainerCreateBody {
    let mut body = server(spec, installation, image, network);
    if let Some(host) = &mut body.host_config {
        host.readonly_rootfs = Some(false);
    }
    body.entrypoint = Some(Vec::new());
    body
}

/// The container with the tool server. `network` is `none` or the relay's network namespace.
pub(super) fn server(
    spec: &Spec,
    installation: &str,
    image: &ImageInspect,
    network: String,
) -> ContainerCreateBody {
    let config = image.config.clone().unwrap_or_default();
    let mut host = confined(&spec.limits);
    host.network_mode = Some(network);
    host.init = Some(true);
    // A declared volume would be writable, unbounded and left behind.
    let scratch = spec.limits.scratch_bytes;
    let volumes = config.volumes.iter().flatten().map(String::as_str);
    host.tmpfs = Some(
        volumes
            .chain(["/tmp"])
            .map(|path| tmpfs(path, scratch))
            .collect(),
    );
    let command = (!spec.command.is_empty()).then(|| spec.command.clone());
    ContainerCreateBody {
        image: image.id.clone(),
        cmd: command,
        env: Some(environment(spec, &config)),
        user: Some(user(&config)),
        labels: Some(labels(spec, installation, PART_SERVER)),
        stop_timeout: Some(spec.limits.grace.as_secs() as i64),
        ..attached(host)
    }
}

/// The container with the relay, whose network namespace has a loopback interface alone.
pub(super) fn relay(spec: &Spec, installation: &str, image: String) -> ContainerCreateBody {
    let mut host = confined(&Limits {
        memory_bytes: 32 << 20,
        cpu_millis: 500,
        pids: 256,
        ..spec.limits
    });
    host.network_mode = Some("none".to_owned());
    host.sysctls = Some(HashMap::from([(
        // The namespace belongs to the two containers alone, so no port is privileged.
        "net.ipv4.ip_unprivileged_port_start".to_owned(),
        "0".to_owned(),
    )]));
    let direct = direct_hosts(&spec.egress);
    let mut listen = vec![PROXY.to_owned()];
    let mut names = BTreeMap::new();
    for (address, host, _) in &direct {
        listen.push(address.clone());
        let address = address.split(':').next().unwrap_or(address);
        names.insert(*host, format!("{host}:{address}"));
    }
    host.extra_hosts = Some(names.into_values().collect());
    ContainerCreateBody {
        image: Some(image),
        entrypoint: Some(vec!["/relay".to_owned()]),
        cmd: Some(listen),
        env: Some(Vec::new()),
        user: Some(USER.to_owned()),
        hostname: Some("server".to_owned()),
        labels: Some(labels(spec, installation, PART_RELAY)),
        ..attached(host)
    }
}

/// The same in the network of a server that may reach nobody, which is there already.
pub(super) fn lookout(
    spec: &Spec,
    installation: &str,
    image: String,
    server: String,
) -> ContainerCreateBody {
    let mut body = relay(spec, installation, image);
    // What belongs to a network is the server's.
    body.hostname = None;
    if let Some(host) = &mut body.host_config {
        host.network_mode = Some(format!("container:{server}"));
        host.sysctls = None;
        host.extra_hosts = None;
    }
    body
}

/// Addresses of the loopback interface that stand for one host and port each, so that programs
/// which know of no proxy reach what they may: `/etc/hosts` leads them there.
pub(super) fn direct_hosts(rules: &[Rule]) -> Vec<(String, &str, u16)> {
    let mut hosts: Vec<&str> = Vec::new();
    let mut direct = Vec::new();
    for (host, port) in rules.iter().filter_map(Rule::exact) {
        let is_address = host.parse::<std::net::IpAddr>().is_ok() || host == "localhost";
        let place = hosts.iter().position(|known| *known == host);
        let place = place.unwrap_or(hosts.len());
        if is_address || place >= MAX_DIRECT_HOSTS {
            continue;
        }
        if place == hosts.len() {
            hosts.push(host);
        }
        direct.push((format!("127.77.0.{}:{port}", place + 1), host, port));
    }
    direct
}

fn confined(limits: &Limits) -> HostConfig {
    let memory = Some(limits.memory_bytes as i64);
    HostConfig {
        memory,
        // The sum of memory and swap: no swap.
        memory_swap: memory,
        nano_cpus: Some(i64::from(limits.cpu_millis) * 1_000_000),
        pids_limit: Some(i64::from(limits.pids)),
        readonly_rootfs: Some(true),
        cap_drop: Some(vec!["ALL".to_owned()]),
        // The engine's own seccomp profile applies because none is named.
        security_opt: Some(vec!["no-new-privileges".to_owned()]),
        privileged: Some(false),
        ipc_mode: Some("private".to_owned()),
        cgroupns_mode: Some(HostConfigCgroupnsModeEnum::PRIVATE),
        shm_size: Some(SHARED_MEMORY),
        ulimits: Some(vec![ulimit("nofile", OPEN_FILES), ulimit("core", 0)]),
        restart_policy: Some(RestartPolicy {
            name: Some(RestartPolicyNameEnum::NO),
            maximum_retry_count: None,
        }),
        // What it says is read by being attached to; the engine keeps no copy of results and secrets.
        log_config: Some(HostConfigLogConfig {
            typ: Some("none".to_owned()),
            config: None,
        }),
        ..HostConfig::default()
    }
}

/// Input that ends when we do: whoever reads it ends too.
fn attached(host: HostConfig) -> ContainerCreateBody {
    ContainerCreateBody {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        open_stdin: Some(true),
        stdin_once: Some(true),
        tty: Some(false),
        healthcheck: Some(HealthConfig {
            test: Some(vec!["NONE".to_owned()]),
            ..HealthConfig::default()
        }),
        host_config: Some(host),
        ..ContainerCreateBody::default()
    }
}

fn ulimit(name: &str, limit: i64) -> ResourcesUlimits {
    ResourcesUlimits {
        name: Some(name.to_owned()),
        soft: Some(limit),
        hard: Some(limit),
    }
}

/// Podman lets nothing have more than the host allows, and asks for more processes of one user than
/// that may be unless told otherwise; the limit of the container itself is `pids_limit`.
pub(super) fn limit_as_the_host(body: &mut ContainerCreateBody) {
    let within = |resource, limit: i64| {
        let most = getrlimit(resource).maximum.unwrap_or(u64::MAX);
        i64::try_from(most).unwrap_or(i64::MAX).min(limit)
    };
    if let Some(host) = &mut body.host_config {
        host.ulimits = Some(vec![
            ulimit("nofile", within(Resource::Nofile, OPEN_FILES)),
            ulimit("nproc", within(Resource::Nproc, MAX_PROCESSES)),
            ulimit("core", 0),
        ]);
    }
}

fn tmpfs(path: &str, bytes: u64) -> (String, String) {
    let options = format!("rw,nosuid,nodev,noexec,mode=1777,size={bytes}");
    (path.to_owned(), options)
}

/// The image's user if it is a number above zero, which no file of the image can turn into root.
fn user(config: &ImageConfig) -> String {
    let user = config.user.clone().unwrap_or_default();
    let is_number = |part: &str| part.parse::<u32>().is_ok_and(|id| id > 0);
    match user.split_once(':') {
        Some((id, group)) if is_number(id) && is_number(group) => user,
        None if is_number(&user) => format!("{user}:{user}"),
        _ => USER.to_owned(),
    }
}

fn environment(spec: &Spec, image: &ImageConfig) -> Vec<String> {
    let mut all: BTreeMap<&str, &str> = BTreeMap::new();
    let has_home = image
        .env
        .iter()
        .flatten()
        .any(|line| line.starts_with("HOME="));
    if !has_home {
        all.insert("HOME", "/tmp");
    }
    let proxy = format!("http://{PROXY}");
    // Where nobody may be reached, it notes who is tried.
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"] {
        all.insert(name, &proxy);
    }
    all.insert("NO_PROXY", "localhost,127.0.0.1");
    all.insert("no_proxy", "localhost,127.0.0.1");
    all.insert("NODE_USE_ENV_PROXY", "1");
    all.extend(
        spec.env
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str())),
    );
    let secrets = spec.secrets.iter();
    all.extend(secrets.map(|(name, value)| (name.as_str(), expose(value))));
    all.into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect()
}

fn labels(spec: &Spec, installation: &str, part: &str) -> HashMap<String, String> {
    [
        (INSTALLATION, installation.to_owned()),
        (SERVER, spec.id.clone()),
        (WORKSPACE, spec.workspace.to_string()),
        (REVISION, spec.revision.clone()),
        (FENCE, spec.fence.to_string()),
        (PART, part.to_owned()),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}
