// Calls over a `fetch` that each test plays.

import { beforeEach, describe, expect, test, vi } from "vitest";
import { ApiError, call, get, onUnauthorized, raw, setToken } from "../src/api";
import {
  type Answer,
  answering,
  body,
  bytes,
  hanging,
  header,
  json,
  play,
  silent,
  streaming,
} from "./played";

const failure = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable("it has to fail"),
    (error: unknown) => error as ApiError,
  );

beforeEach(play);
beforeEach(() => {
  onUnauthorized(() => Promise.resolve(false));
});

describe("a document", () => {
  test("is parsed", async () => {
    answering(json(200, { a: 1 }));

    expect(await get("/v1/x")).toEqual({ a: 1 });
  });

  test("is read whole, wherever its bytes are cut", async () => {
    const text = bytes('"zä€😀"');
    for (let at = 0; at <= text.length; at++) {
      answering(() => new Response(body([text.slice(0, at), text.slice(at)])));

      expect(await get("/v1/x")).toBe("zä€😀");
    }
  });

  test.each(["", "<html>", '{"a":'])("that reads %j did not come from the API", async (text) => {
    answering(streaming(text));

    expect(await failure(get("/v1/x"))).toMatchObject({
      status: 0,
      message: expect.stringMatching(/^what answered is not the API/) as string,
    });
  });

  test("that does not come within 30 seconds is given up", async () => {
    for (const answer of [silent, hanging('{"a"')]) {
      answering(answer);
      const failed = failure(get("/v1/x"));
      await vi.advanceTimersByTimeAsync(30_000);

      expect((await failed).message).toMatch(/^the API did not answer for 30 seconds: /);
    }
  });

  test("that cannot be fetched is told in our words", async () => {
    answering(() => Promise.reject(new TypeError("Failed to fetch")));

    expect(await failure(get("/v1/x"))).toMatchObject({
      status: 0,
      message: "the API does not answer",
    });
  });

  test("that the caller does not want any more is no fault of the API", async () => {
    answering(silent);
    const ended = new AbortController();
    const failed = failure(get("/v1/x", ended.signal));
    ended.abort();

    expect(await failed).not.toBeInstanceOf(ApiError);
  });
});

describe("a problem", () => {
  test("has a status, a detail and its faults", async () => {
    const errors = [{ path: "$.a", message: "is needed" }];
    answering(json(422, { detail: "the parameters do not fit", errors }));

    const error = await failure(get("/v1/x"));

    expect([error.status, error.message, error.faults]).toEqual([
      422,
      "the parameters do not fit",
      errors,
    ]);
  });

  test.each([
    ["null", null],
    ["a list", []],
    ["a detail that is no text", { detail: { why: 1 }, errors: [] }],
    ["no detail", { errors: [{ path: "$", message: "m" }] }],
  ])("that is %s is told by its status alone", async (_, value) => {
    answering(json(502, value));

    const error = await failure(get("/v1/x"));

    expect([error.status, error.message, error.faults]).toEqual([502, "Said", []]);
  });

  test("whose faults are no list has none", async () => {
    answering(json(422, { detail: "no", errors: "many" }));

    expect((await failure(get("/v1/x"))).faults).toEqual([]);
  });

  test("that is a proxy's page is told by its status", async () => {
    answering(() => new Response("<h1>Bad gateway</h1>", { status: 502 }));

    expect((await failure(get("/v1/x"))).message).toBe("status 502");
  });
});

describe("a change", () => {
  test("sends JSON, and an empty answer is null", async () => {
    const fetch = answering(streaming(""));

    expect(await call("POST", "/v1/x", '{"n":1.0}', { "Idempotency-Key": "k" })).toBeNull();

    expect(fetch.mock.calls[0]![1]).toMatchObject({ method: "POST", body: '{"n":1.0}' });
    expect(header(fetch, 0, "Content-Type")).toBe("application/json");
    expect(header(fetch, 0, "Idempotency-Key")).toBe("k");
  });

  test("without a body has no type", async () => {
    const fetch = answering(streaming(""));
    await call("DELETE", "/v1/x");

    expect(header(fetch, 0, "Content-Type")).toBeNull();
  });

  test("without an answer may have been made, and a large one has more time", async () => {
    answering(silent);
    const failed = failure(call("POST", "/v1/x", "x".repeat(50_000)));
    let over = false;
    void failed.then(() => (over = true));

    await vi.advanceTimersByTimeAsync(30_999);
    expect(over).toBe(false);
    await vi.advanceTimersByTimeAsync(1);

    expect((await failed).message).toContain("this may or may not be done");
  });
});

describe("a token", () => {
  test("is sent with each call", async () => {
    setToken("secret");
    const fetch = answering(json(200, {}));
    await get("/v1/x");

    expect(header(fetch, 0, "Authorization")).toBe("Bearer secret");
  });

  test("is asked for once, however many calls lack it, and then they are made again", async () => {
    let give = () => {};
    const ask = vi.fn(
      () =>
        new Promise<boolean>((answer) => {
          give = () => {
            setToken("good");
            answer(true);
          };
        }),
    );
    onUnauthorized(ask);
    const guarded: Answer = (_, { headers }) =>
      new Headers(headers).has("Authorization")
        ? new Response('"in"')
        : new Response(null, { status: 401 });
    const fetch = answering(guarded);

    const both = Promise.all([get("/v1/x"), get("/v1/y")]);
    await vi.advanceTimersByTimeAsync(60_000);
    give();

    expect(await both).toEqual(["in", "in"]);
    expect(ask).toHaveBeenCalledTimes(1);
    expect(fetch).toHaveBeenCalledTimes(4);
  });

  test("that nobody gives leaves the call refused", async () => {
    const fetch = answering(json(401, { detail: "a token is needed" }));

    expect(await failure(get("/v1/x"))).toMatchObject({
      status: 401,
      message: "a token is needed",
    });
    expect(fetch).toHaveBeenCalledTimes(1);
  });
});

test("a request as it is gives its answer's head first, and its text as it arrives", async () => {
  answering(
    () => new Response(body([bytes("a€").slice(0, 2), bytes("a€").slice(2)]), { status: 409 }),
  );
  const { response, text } = await raw("/v1/x", {}, new AbortController().signal);
  const parts = [];
  for await (const part of text) parts.push(part);

  expect(response.status).toBe(409);
  expect(parts.join("")).toBe("a€");
});
