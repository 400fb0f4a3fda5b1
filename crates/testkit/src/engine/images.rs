//! The images of an engine, beside those that are imported.

use super::{TestEngine, api};

impl TestEngine {
    /// Every image there is as an archive of its layers and settings, by its id.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn images(&self) -> Vec<(String, Vec<u8>)> {
        let (_, listed) = self.call("GET", "/images/json?all=1").await;
        let mut images = Vec::new();
        for image in listed.as_array().into_iter().flatten() {
            let id = image["Id"].as_str().expect("an id").to_owned();
            let (socket, path) = (self.daemon.socket(), format!("/images/{id}/get"));
            let asked =
                tokio::task::spawn_blocking(move || api::exchange(&socket, "GET", &path, &[]));
            let answer = asked.await.expect("no panic");
            let (status, archive) = answer.expect("the engine's answer");
            assert_eq!(status, 200, "saving {id}");
            images.push((id, archive));
        }
        images
    }

    /// The names of all images, in order.
    ///
    /// # Panics
    /// If the engine does not answer.
    pub async fn image_names(&self) -> Vec<String> {
        let (_, listed) = self.call("GET", "/images/json").await;
        let images = listed.as_array().into_iter().flatten();
        let names = images.filter_map(|image| image["RepoTags"].as_array());
        let names = names.flatten().filter_map(|name| name.as_str());
        let mut names: Vec<String> = names.map(str::to_owned).collect();
        names.sort();
        names
    }

    /// Pulls an image as an administrator would.
    ///
    /// # Panics
    /// If the engine does not.
    pub async fn pull(&self, name: &str) {
        let path = format!("/images/create?fromImage={name}");
        let (status, answer) = self.call("POST", &path).await;
        assert_eq!(status, 200, "pulling {name}: {answer}");
        assert!(answer["error"].is_null(), "pulling {name}: {answer}");
    }

    /// Gives an image another name.
    ///
    /// # Panics
    /// If the engine does not.
    pub async fn tag(&self, image: &str, repository: &str, tag: &str) {
        let path = format!("/images/{image}/tag?repo={repository}&tag={tag}");
        let (status, answer) = self.call("POST", &path).await;
        assert_eq!(status, 201, "naming {image}: {answer}");
    }

    /// Makes an image of another one's content and a little more.
    ///
    /// # Panics
    /// If the engine does not.
    pub async fn derive(&self, image: &str, repository: &str, tag: &str) {
        self.create_foreign("derived", image).await;
        let more = api::archive("more", b"a little").expect("an archive");
        let path = "/containers/derived/archive?path=/";
        let put = self.request("PUT", path, more).await;
        assert_eq!(
            put.expect("the engine's answer").0,
            200,
            "adding to {image}"
        );
        let path = format!("/commit?container=derived&repo={repository}&tag={tag}");
        let made = self.request("POST", &path, b"{}".to_vec()).await;
        let (status, answer) = made.expect("the engine's answer");
        assert_eq!(status, 201, "making {repository}: {answer}");
        self.call("DELETE", "/containers/derived").await;
    }
}
