//! What servers of 2025 ask back while they are at work on a call.

use std::time::Duration;

use rmcp::model::{
    ElicitRequest, ElicitRequestParams, ElicitResult, ElicitationAction, ElicitationSchema,
    JsonObject,
};
use serde_json::Value;
use tokio::sync::oneshot;

/// How long a person may think about one question.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(300);

/// A question of a server to whoever called it. Dropped, it is declined.
#[derive(Debug)]
pub struct Question {
    asked: ElicitRequestParams,
    answer: oneshot::Sender<ElicitResult>,
}

impl Question {
    /// `None` for questions that nobody is offered, such as to visit an address.
    pub(crate) fn new(
        mut asked: ElicitRequestParams,
    ) -> Option<(Self, oneshot::Receiver<ElicitResult>)> {
        let ElicitRequestParams::FormElicitationParams { meta, .. } = &mut asked else {
            return None;
        };
        // It is about the way to us.
        *meta = None;
        let (answer, answered) = oneshot::channel();
        Some((Self { asked, answer }, answered))
    }

    /// It as a request.
    pub(crate) fn request(&self) -> ElicitRequest {
        ElicitRequest::new(self.asked.clone())
    }

    /// Answers it; what was left open is filled in by the schema.
    pub(crate) fn answer(self, mut result: ElicitResult) {
        if let ElicitRequestParams::FormElicitationParams {
            requested_schema, ..
        } = &self.asked
        {
            fill_in(&mut result, requested_schema);
        }
        // Fails only if the server has given up waiting.
        let _ = self.answer.send(result);
    }
}

/// The answer of somebody who does not want to say.
pub(crate) fn declined() -> ElicitResult {
    ElicitResult::new(ElicitationAction::Decline)
}

/// Gives properties that an accepted form leaves out the defaults of its schema.
pub(crate) fn fill_in(result: &mut ElicitResult, schema: &ElicitationSchema) {
    if result.action != ElicitationAction::Accept {
        return;
    }
    let content = result
        .content
        .get_or_insert_with(|| Value::Object(JsonObject::new()));
    let Value::Object(content) = content else {
        return;
    };
    for (name, property) in &schema.properties {
        if content.contains_key(name) {
            continue;
        }
        let property = serde_json::to_value(property).unwrap_or_default();
        if let Some(usual) = property.get("default").filter(|usual| !usual.is_null()) {
            content.insert(name.clone(), usual.clone());
        }
    }
}
