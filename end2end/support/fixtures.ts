// What a test gets: a server, a model, a signed-in browser, and a watch over its complaints.
import { test as base, request as apiRequest, type APIRequestContext } from "@playwright/test";
import { ScriptedModel } from "./model";
import { createScriptedAgent, setUp, type Agent } from "./people";
import { Problems } from "./problems";
import { AgentArea } from "./server";

export { expect } from "@playwright/test";

interface WorkerFixtures {
  /** A server that is set up, shared by the tests of a worker. */
  sharedServer: AgentArea;
  /** The scripted model of the worker. */
  sharedModel: ScriptedModel;
  /** REST calls as Ada on the shared server. */
  sharedApi: APIRequestContext;
  /** An agent on the scripted model. */
  agent: Agent;
}

interface TestFixtures {
  /** `shared` or `fresh`: a server nobody has set up, for this test alone. */
  serverKind: "shared" | "fresh";
  server: AgentArea;
  model: ScriptedModel;
  /** REST calls as Ada. On a fresh server nobody is signed in. */
  api: APIRequestContext;
  problems: Problems;
}

export const test = base.extend<TestFixtures, WorkerFixtures>({
  serverKind: ["shared", { option: true }],

  sharedServer: [
    async ({}, use) => {
      const server = await AgentArea.start();
      await use(server);
      await server.stop();
    },
    { scope: "worker", timeout: 120_000 },
  ],

  sharedModel: [
    async ({}, use) => {
      const model = await ScriptedModel.start();
      await use(model);
      await model.close();
    },
    { scope: "worker" },
  ],

  sharedApi: [
    async ({ sharedServer }, use) => {
      const api = await newApi(sharedServer);
      await setUp(api);
      await use(api);
      await api.dispose();
    },
    { scope: "worker" },
  ],

  agent: [
    async ({ sharedApi, sharedModel }, use) => {
      await use(await createScriptedAgent(sharedApi, sharedModel, "Latency Analyst"));
    },
    { scope: "worker" },
  ],

  server: [
    async ({ serverKind, sharedServer }, use, testInfo) => {
      const server = serverKind === "fresh" ? await AgentArea.start() : sharedServer;
      await use(server);
      if (testInfo.status !== testInfo.expectedStatus) {
        await testInfo.attach("server log", { path: server.logPath, contentType: "text/plain" });
      }
      if (serverKind === "fresh") await server.stop();
    },
    { timeout: 120_000 },
  ],

  model: async ({ sharedModel }, use) => {
    sharedModel.reset();
    await use(sharedModel);
    sharedModel.reset();
  },

  api: async ({ serverKind, server, sharedApi }, use) => {
    if (serverKind === "shared") {
      await use(sharedApi);
      return;
    }
    const api = await newApi(server);
    await use(api);
    await api.dispose();
  },

  baseURL: async ({ server }, use) => {
    await use(server.origin);
  },

  storageState: async ({ serverKind, api }, use) => {
    await use(serverKind === "shared" ? await api.storageState() : undefined);
  },

  problems: [
    async ({ context, server }, use) => {
      const problems = await Problems.watch(context, server.origin);
      await use(problems);
      base.expect(problems.unexpected(), "the browser complained").toEqual([]);
    },
    { auto: true },
  ],
});

function newApi(server: AgentArea): Promise<APIRequestContext> {
  // Cookies count only from our own pages, so the calls say where they come from.
  return apiRequest.newContext({ baseURL: server.origin, extraHTTPHeaders: { origin: server.origin } });
}
