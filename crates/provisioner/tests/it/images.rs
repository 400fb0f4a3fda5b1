//! Which image a name leads to, and which images stay.

use std::collections::HashSet;

use provisioner::{Error, Provisioner};
use testkit::ImageRegistry;

use crate::support::{Bench, IMAGE};

#[tokio::test]
async fn name_leads_to_the_newest_image_only_when_that_is_asked_for() {
    let registry = ImageRegistry::start().await;
    let Some(bench) = Bench::start_allowing(&[registry.authority()]).await else {
        return;
    };
    let name = registry.push_text("acme/tools", "latest", "the first");
    let first = bench.docker.resolve(&name).await.unwrap();

    registry.push_text("acme/tools", "latest", "the second");
    let again = bench.docker.resolve(&name).await.unwrap();
    let second = bench.docker.resolve_newest(&name).await.unwrap();
    let digest = first.digest.clone().unwrap();
    let pinned = bench.docker.resolve_newest(&digest).await.unwrap();
    drop(registry);
    let away = bench.docker.resolve_newest(&name).await.unwrap();
    let nowhere = bench.docker.resolve_newest(IMAGE).await.unwrap();

    assert_eq!(again, first);
    assert_ne!(second.id, first.id);
    assert_ne!(second.digest, first.digest);
    assert_eq!(pinned.id, first.id);
    assert_eq!(away, second);
    assert_eq!(nowhere.id, bench.image);
}

#[tokio::test]
async fn newest_image_is_not_fetched_from_where_images_may_not_come_from() {
    let registry = ImageRegistry::start().await;
    let Some(bench) = Bench::start().await else {
        return;
    };
    // The engine would go there, and users may not send it.
    let name = registry.push_text("acme/tools", "latest", "the first");

    let refused = bench.docker.resolve_newest(&name).await.unwrap_err();

    assert!(matches!(refused, Error::ImageMissing { .. }), "{refused}");
}

#[tokio::test]
async fn old_images_of_packages_go_but_for_those_that_are_spared() {
    let Some(bench) = Bench::start().await else {
        return;
    };
    let package = |tag: &str| format!("localhost/agentarea/package:{tag}");
    let spared = bench.engine.import_empty(&package("spared")).await;
    bench.engine.import_tool_server(&package("old")).await;
    let is_there = async |image: &str| bench.docker.resolve(image).await.is_ok();

    bench
        .docker
        .drop_packages(2, &HashSet::new())
        .await
        .unwrap();
    assert!(is_there(&package("old")).await);
    let spare = HashSet::from([spared]);
    bench.docker.drop_packages(0, &spare).await.unwrap();

    assert!(!is_there(&package("old")).await);
    assert!(is_there(&package("spared")).await);
    assert!(is_there(IMAGE).await, "it is no package");
}
