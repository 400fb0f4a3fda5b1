// Providers as somebody else imitates them: aimock answers in each provider's own wire format.
import { LLMock } from "@copilotkit/aimock";
import { expect, test } from "../support/fixtures";
import { postMessage, runEnd } from "../support/people";

const PROVIDERS = [
  { kind: "openai", path: "/v1", model: "gpt-5-mini" },
  { kind: "anthropic", path: "", model: "claude-haiku-4-5" },
  { kind: "gemini", path: "", model: "gemini-2.5-flash" },
  { kind: "openai_compatible", path: "/v1", model: "anything" },
];

for (const { kind, path, model } of PROVIDERS) {
  test(`${kind}: an independent mock is understood, tools included`, async ({ api }) => {
    const mock = new LLMock({ port: 0, chunkSize: 4 });
    mock.on(
      { userMessage: "work it out", hasToolResult: false },
      { toolCalls: [{ name: "calculator", arguments: JSON.stringify({ expression: "6*7" }) }] },
    );
    mock.on({ userMessage: "work it out", hasToolResult: true }, { content: "It is 42, né漢🌍." });
    await mock.start();
    try {
      const post = async (where: string, data: object) => {
        const answer = await api.post(`/api/v1${where}`, { data });
        expect(answer.status(), await answer.text()).toBe(201);
        return answer.json();
      };
      const connection = await post("/model-connections", {
        name: `aimock ${kind}`,
        kind,
        base_url: mock.url + path,
        api_key: "sk-mock",
      });
      const agent = await post("/agents", {
        name: `aimock ${kind}`,
        model: { connection_id: connection.id, name: model },
        tools: [{ builtin: "calculator", approval: "never" }],
      });
      const conversation = await post("/conversations", { agent_id: agent.id });

      const run = await postMessage(api, `/conversations/${conversation.id}`, "Please work it out.");

      expect(await runEnd(api, run)).toBe("completed");
      const messages = await (await api.get(`/api/v1/conversations/${conversation.id}/messages`)).json();
      expect(JSON.stringify(messages)).toContain("It is 42, né漢🌍.");
      const log = await api.get(`/api/v1/conversations/${conversation.id}/events?limit=100`, {
        headers: { accept: "application/json" },
      });
      const events: { type: string; data: { result?: string } }[] = (await log.json()).items;
      const called = events.find((event) => event.type === "tool_call_completed");
      expect(called?.data.result).toContain("42");
    } finally {
      // Not waited for: a connection that was opened and never used would keep it for a minute.
      void mock.stop();
    }
  });
}
