// Who uses the product in the tests, and what they prepare through the REST API.
import { expect, type APIRequestContext, type APIResponse } from "@playwright/test";
import { MODEL, type ScriptedModel } from "./model";

export const ADA = { email: "ada@example.com", password: "correct horse battery", workspace: "Acme" };
export const LINUS = { email: "linus@example.com", password: "staple battery horse" };
export const LOCAL_MODEL = "smollm2-135m-instruct";

export interface Agent {
  id: string;
  name: string;
}

/** Makes Ada and her workspace; the context is signed in afterwards. */
export async function setUp(request: APIRequestContext): Promise<void> {
  await answer(await request.post("/api/v1/setup", { data: ADA }), 201);
}

/** Connects the scripted model and makes an agent on it. */
export async function createScriptedAgent(
  request: APIRequestContext,
  model: ScriptedModel,
  name: string,
  tools: object[] = [],
): Promise<Agent> {
  const connections = await answer(await request.get("/api/v1/model-connections?limit=100"), 200);
  const known = connections.items.find((item: { base_url?: string }) => item.base_url === model.baseUrl);
  const connection =
    known ??
    (await answer(
      await request.post("/api/v1/model-connections", {
        data: { name: `Scripted ${model.baseUrl}`, kind: "openai_compatible", base_url: model.baseUrl, api_key: "sk-test" },
      }),
      201,
    ));
  return createAgent(request, name, connection.id, MODEL, tools);
}

/** Makes an agent on the model inside the program. */
export async function createLocalAgent(request: APIRequestContext, name: string): Promise<Agent> {
  const connections = await answer(await request.get("/api/v1/model-connections?limit=100"), 200);
  const local = connections.items.find((item: { kind: string }) => item.kind === "local");
  expect(local, "the set-up makes a connection to the built-in model").toBeTruthy();
  return createAgent(request, name, local.id, LOCAL_MODEL);
}

/** Begins an empty conversation; answers the address of its page. */
export async function startConversation(request: APIRequestContext, agent: Agent): Promise<string> {
  const conversation = await answer(
    await request.post("/api/v1/conversations", { data: { agent_id: agent.id } }),
    201,
  );
  return `/conversations/${conversation.id}`;
}

/** Sends a message without the page; answers the run's id. */
export async function postMessage(request: APIRequestContext, path: string, text: string): Promise<string> {
  const posted = await answer(await request.post(`/api/v1${path}/messages`, { data: { text } }), 202);
  return posted.run_id;
}

/** Waits until a run has ended; answers its status. */
export async function runEnd(request: APIRequestContext, id: string): Promise<string> {
  let status = "";
  await expect
    .poll(async () => {
      status = (await answer(await request.get(`/api/v1/runs/${id}`), 200)).status;
      return status;
    }, { timeout: 30_000 })
    .toMatch(/completed|failed|cancelled/);
  return status;
}

async function createAgent(
  request: APIRequestContext,
  name: string,
  connectionId: string,
  model: string,
  tools: object[] = [],
): Promise<Agent> {
  return answer(
    await request.post("/api/v1/agents", {
      data: {
        name,
        description: "answers questions about the shop",
        instructions: "Answer briefly.",
        model: { connection_id: connectionId, name: model },
        tools,
      },
    }),
    201,
  );
}

// The bodies are the contract's; the tests show it when they differ, so they stay untyped here.
async function answer(response: APIResponse, status: number): Promise<any> {
  expect(response.status(), `${response.url()}: ${await response.text()}`).toBe(status);
  return response.json();
}
