//! What calls of tools cost that do not end well: each is in the ledger as often as it was sent, and
//! the run's own total is what the ledger says.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::{Era, Mood};
use testkit::{ScriptedModel, SseEvent, TestDb, ToolServer};

use crate::mcp_servers::remote;
use crate::support::{Program, TestApp, eventually};
use crate::tools::agent_with;

/// What a call costs.
const PRICE: u64 = 1_000;

/// A conversation with an agent that has priced tools, and what is paid from.
struct Spending {
    app: TestApp,
    model: ScriptedModel,
    tools: ToolServer,
    agent: String,
    conversation: String,
    budget: String,
    _db: TestDb,
}

impl Spending {
    async fn start() -> Self {
        let db = TestDb::create().await;
        let app = TestApp::on(Program::new(Some(db.url()))).await;
        let model = ScriptedModel::start().await;
        let tools = ToolServer::start(Era::Modern).await;
        // It never answers, and may be called again after a crash.
        let mut sleep = ToolServer::tool("sleep");
        sleep["annotations"]["readOnlyHint"] = json!(true);
        let others = ["echo", "count"].map(ToolServer::tool);
        tools.set_tools([&others[..], &[sleep]].concat());
        let mut input = remote("one", &tools.url());
        input["call_price_usd_micros"] = json!(PRICE);
        let server = app.post("/mcp-servers", input).await.created();
        let used: Vec<Value> = ["echo", "count", "sleep"]
            .iter()
            .map(|name| json!({"server_id": server, "name": name, "approval": "never"}))
            .collect();
        let agent = agent_with(&app, &model, json!(used)).await;
        let budget = json!({"period": "day", "limit_usd_micros": 1_000_000});
        let budget = app.post("/budgets", budget).await.created();
        let conversation = app.create_conversation(&agent).await;
        Self {
            app,
            model,
            tools,
            agent,
            conversation,
            budget,
            _db: db,
        }
    }

    /// Has the agent call tools, which do not answer; gives the run once all are called.
    async fn ask_for(&self, tools: &[&str]) -> String {
        let names: Vec<String> = tools.iter().map(|tool| format!("one__{tool}")).collect();
        let ids: Vec<String> = (0..tools.len()).map(|n| format!("call_{n}")).collect();
        let calls = ids.iter().zip(&names);
        let calls: Vec<_> = calls
            .map(|(id, name)| (id.as_str(), name.as_str(), "{}"))
            .collect();
        self.model.next(Scripted::tool_calls(&calls));
        self.model.always(Scripted::text("As you wish."));
        self.tools.set_mood(Mood::Silent);
        let run = self.app.ask(&self.conversation, "call").await;
        self.sent(tools.len()).await;
        run
    }

    /// Waits until calls were sent so often.
    async fn sent(&self, times: usize) {
        self.tools
            .until("a call", |tools| tools.count("tools/call") == times)
            .await;
    }

    /// Crashes; afterwards tools answer.
    async fn crash(&mut self) {
        self.app.program().kill();
        self.tools.set_mood(Mood::Kind);
        self.app.program().start().await;
    }

    async fn cancel(&self, run: &str) {
        let path = format!("/runs/{run}/cancellation");
        let cancelled = self.app.post(&path, json!({})).await;
        assert_eq!(cancelled.status, StatusCode::ACCEPTED, "{}", cancelled.body);
    }

    /// Answers the question that the run asks.
    async fn decide(&self, decision: &str) {
        let mut stream = self.app.events(&self.conversation, "").await;
        let events = stream
            .collect_until(|event| event.event == "approval_requested")
            .await
            .expect("a question");
        let asked = &events.last().expect("the question").data["data"];
        assert_eq!(asked["reason"], "unknown_outcome");
        let id = asked["approval_id"].as_str().expect("an id");
        let path = format!("/approvals/{id}/decision");
        let decided = self.app.post(&path, json!({ "decision": decision })).await;
        assert_eq!(decided.status, StatusCode::OK, "{}", decided.body);
    }

    /// Waits for the end and checks that it was of a kind, and that all agree on what was sent.
    async fn check(&self, run: &str, end: &str, sent: usize) {
        let log = self.app.log(&self.conversation).await;
        self.check_log(&log, run, end, sent).await;
    }

    async fn check_log(&self, log: &[SseEvent], run: &str, end: &str, sent: usize) {
        let last = log.last().expect("an end");
        assert_eq!(last.event, end, "{}", last.data);
        assert_eq!(self.tools.count("tools/call"), sent);
        let cost = json!(PRICE * sent as u64);
        let total = self.app.get("/usage?days=2").await.body["total"].clone();
        assert_eq!(total["tool_calls"], sent, "{total}");
        assert_eq!(total["cost_usd_micros"], cost, "{total}");
        assert_eq!(last.data["data"]["usage"]["cost_usd_micros"], cost);
        let run = self.app.get(&format!("/runs/{run}")).await.body;
        assert_eq!(run["usage"]["cost_usd_micros"], cost, "{run}");
        let steps = run["steps"].as_array().expect("steps");
        let of_steps = steps.iter().map(|step| &step["usage"]["cost_usd_micros"]);
        let of_steps: u64 = of_steps.filter_map(Value::as_u64).sum();
        assert_eq!(json!(of_steps), cost, "{run}");
        let budget = self.app.get(&format!("/budgets/{}", self.budget)).await;
        assert_eq!(budget.body["spent_usd_micros"], cost, "{}", budget.body);
        assert_eq!(budget.body["reserved_usd_micros"], 0, "{}", budget.body);
    }
}

#[tokio::test]
async fn call_that_is_repeated_after_a_crash_is_paid_twice() {
    let mut spending = Spending::start().await;
    let run = spending.ask_for(&["echo"]).await;

    spending.crash().await;

    spending.check(&run, "run_completed", 2).await;
}

#[tokio::test]
async fn call_whose_outcome_is_unknown_is_paid_as_often_as_it_was_sent() {
    for (decision, sent) in [("reject", 1), ("approve", 2)] {
        let mut spending = Spending::start().await;
        let run = spending.ask_for(&["count"]).await;

        spending.crash().await;
        spending.decide(decision).await;

        spending.check(&run, "run_completed", sent).await;
    }
}

#[tokio::test]
async fn run_that_is_stopped_after_a_crash_has_paid_for_the_calls_before_it() {
    // One that waits for a person, and one that is at its second call.
    for (tool, sent) in [("count", 1), ("sleep", 2)] {
        let mut spending = Spending::start().await;
        let run = spending.ask_for(&[tool]).await;
        spending.crash().await;
        match tool {
            "count" => {
                let path = format!("/runs/{run}");
                let waits =
                    eventually(async || spending.app.get(&path).await.body["status"] == "waiting");
                assert!(waits.await);
            }
            _ => spending.sent(sent).await,
        }

        spending.cancel(&run).await;

        spending.check(&run, "run_cancelled", sent).await;
    }
}

#[tokio::test]
async fn run_that_is_given_up_has_paid_for_each_of_its_tries() {
    let mut spending = Spending::start().await;
    let run = spending.ask_for(&["sleep"]).await;
    for attempt in 2..=5 {
        spending.crash().await;
        spending.sent(attempt).await;
    }

    spending.crash().await;

    spending.check(&run, "run_failed", 5).await;
}

#[tokio::test]
async fn run_that_is_stopped_has_the_calls_under_way_in_its_own_total() {
    let spending = Spending::start().await;
    let run = spending.ask_for(&["sleep", "echo"]).await;

    spending.cancel(&run).await;

    spending.check(&run, "run_cancelled", 2).await;
}

#[tokio::test]
async fn run_out_of_time_has_the_calls_under_way_in_its_own_total() {
    let spending = Spending::start().await;
    let path = format!("/agents/{}", spending.agent);
    let limits = json!({"limits": {"max_seconds": 5}});
    spending.app.patch(&path, limits).await;

    let run = spending.ask_for(&["sleep", "count"]).await;

    spending.check(&run, "run_failed", 2).await;
}

#[tokio::test]
async fn call_of_a_stopped_server_is_paid_by_the_run_that_another_goes_on_with() {
    let mut spending = Spending::start().await;
    let run = spending.ask_for(&["echo"]).await;

    assert!(spending.app.program().stop());
    spending.tools.set_mood(Mood::Kind);
    spending.app.program().start().await;

    spending.check(&run, "run_completed", 2).await;
}

#[tokio::test]
async fn call_under_way_is_paid_although_its_conversation_is_deleted() {
    let spending = Spending::start().await;
    spending.ask_for(&["count"]).await;

    let path = format!("/conversations/{}", spending.conversation);
    let gone = spending.app.delete(&path).await;

    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    let total = spending.app.get("/usage?days=2").await.body["total"].clone();
    assert_eq!(total["tool_calls"], 1, "{total}");
    assert_eq!(total["cost_usd_micros"], PRICE, "{total}");
    let path = format!("/budgets/{}", spending.budget);
    let budget = spending.app.get(&path).await.body;
    assert_eq!(budget["spent_usd_micros"], PRICE, "{budget}");
    assert_eq!(budget["reserved_usd_micros"], 0, "{budget}");
}
