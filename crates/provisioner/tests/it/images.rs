//! Which image a name leads to, and which images stay.

use provisioner::{Error, Provisioner};
use testkit::ImageRegistry;

use crate::support::{Bench, IMAGE, docker, fetched, spec};

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
async fn images_that_were_pulled_are_listed_and_removed_with_every_name_of_ours() {
    let registry = ImageRegistry::start().await;
    let Some(bench) = Bench::start_allowing(&[registry.authority()]).await else {
        return;
    };
    let (name, other) = (
        registry.push_text("acme/tools", "1", "the first"),
        registry.push_text("acme/tools", "2", "the second"),
    );
    let first = bench.docker.resolve(&name).await.unwrap();
    let second = bench.docker.resolve(&other).await.unwrap();
    // The name moves on, and the image that it leaves is ours as before.
    registry.push_text("acme/tools", "1", "the third");
    let third = bench.docker.resolve_newest(&name).await.unwrap();

    let listed = fetched(&bench).await;
    for image in [&first, &second, &third] {
        assert!(bench.docker.drop_fetched(&image.id).await.unwrap());
    }
    let again = bench.docker.drop_fetched(&first.id).await.unwrap();

    let ids: Vec<_> = listed.iter().map(|image| &image.id).collect();
    assert_eq!(ids.len(), 3, "{listed:?}");
    let second_listed = listed.iter().find(|it| it.id == second.id).unwrap();
    assert_eq!(second_listed.names, [other]);
    assert_eq!(second_listed.digests, [second.digest.unwrap()]);
    assert!(second_listed.size_bytes > 0 && !second_listed.is_needed);
    assert!(!again, "it is gone already");
    assert_eq!(fetched(&bench).await, []);
    let left = bench.engine.image_names().await;
    assert_eq!(left, [IMAGE], "nothing is left but what was there before");
}

#[tokio::test]
async fn images_that_were_there_or_that_somebody_else_names_are_never_removed() {
    let registry = ImageRegistry::start().await;
    let Some(bench) = Bench::start_allowing(&[registry.authority()]).await else {
        return;
    };
    let theirs = registry.push_text("acme/theirs", "1", "brought by an administrator");
    bench.engine.pull(&theirs).await;
    let there = bench.docker.resolve(&theirs).await.unwrap();
    registry.push_text("acme/ours", "1", "brought by an administrator");
    let same = bench
        .docker
        .resolve(&theirs.replace("theirs", "ours"))
        .await
        .unwrap();
    let shared = registry.push_text("acme/shared", "1", "for two installations");
    let shared_image = bench.docker.resolve(&shared).await.unwrap();
    let named = registry.push_text("acme/named", "1", "given another name");
    let named_image = bench.docker.resolve(&named).await.unwrap();
    bench.engine.tag(&named, "acme.example/kept", "1").await;

    let listed = fetched(&bench).await;
    let mut gone = Vec::new();
    for image in [&there, &named_image] {
        gone.push(bench.docker.drop_fetched(&image.id).await.unwrap());
    }
    let stranger = docker(&bench.engine, "other", &[]);
    gone.push(stranger.drop_fetched(&shared_image.id).await.unwrap());

    assert_eq!(same.id, there.id);
    let mut ids: Vec<_> = listed.into_iter().map(|image| image.id).collect();
    ids.sort();
    let mut expected = [shared_image.id.clone(), named_image.id.clone()];
    expected.sort();
    assert_eq!(ids, expected);
    assert_eq!(gone, [false; 3]);
    let left = bench.engine.image_names().await;
    for name in [&theirs, &shared, &named, "acme.example/kept:1"] {
        assert!(left.iter().any(|it| it == name), "{name}: {left:?}");
    }
    // What got another name is no longer ours.
    let listed = fetched(&bench).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
}

#[tokio::test]
async fn image_that_a_container_has_or_that_others_stand_on_is_needed() {
    let registry = ImageRegistry::start().await;
    let Some(bench) = Bench::start_allowing(&[registry.authority()]).await else {
        return;
    };
    let name = registry.push_text("acme/tools", "1", "with a container");
    let image = bench.docker.resolve(&name).await.unwrap();
    bench.engine.create_foreign("somebody", &name).await;
    let base = registry.push_text("acme/base", "1", "for packages");
    let base_image = bench.docker.resolve(&base).await.unwrap();
    let package = "localhost/agentarea/package";
    bench.engine.derive(&base, package, "made").await;
    let mut relayed = spec("relayed");
    relayed.port = Some(3001);
    let session = bench.start_session(&relayed).await;

    let listed = fetched(&bench).await;
    let dropped = bench.docker.drop_fetched(&image.id).await.unwrap();

    assert!(!dropped);
    let is_needed = |id: &str| listed.iter().find(|it| it.id == id).map(|it| it.is_needed);
    assert_eq!(is_needed(&image.id), Some(true), "{listed:?}");
    assert_eq!(is_needed(&base_image.id), Some(true), "{listed:?}");
    let made = listed
        .iter()
        .find(|it| it.names == [format!("{package}:made")])
        .unwrap();
    assert!(!made.is_needed, "it was made without a mark, and is ours");
    let relay = listed.iter().find(|it| it.names[0].contains("/relay:"));
    assert!(relay.unwrap().is_needed);
    drop(session);
}
