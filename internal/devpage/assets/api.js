// The calls of an app that signs people in and keeps them signed in, as one on a phone makes them.

const grantType = "http://auth0.com/oauth/grant-type/passwordless/otp";
// Most client libraries give up after ten seconds; so does this one.
const patience = 10_000;

export class Api {
  // onExchange is told of every request with its answer, for the log.
  constructor({ clientId, audience, onExchange }) {
    this.clientId = clientId;
    this.audience = audience;
    this.onExchange = onExchange;
  }

  // start asks for a code to be sent.
  start(number) {
    return this.post("/passwordless/start", {
      client_id: this.clientId, connection: "sms", phone_number: number, send: "code",
    });
  }

  // token trades a code for tokens.
  token(number, code) {
    return this.post("/oauth/token", {
      grant_type: grantType, client_id: this.clientId, realm: "sms", username: number, otp: code,
      scope: "openid profile email phone offline_access", audience: this.audience,
    });
  }

  // refresh trades a refresh token for new tokens, the next refresh token among them.
  refresh(token) {
    return this.post("/oauth/token", { grant_type: "refresh_token", client_id: this.clientId, refresh_token: token });
  }

  // revoke ends the session that a token is of.
  revoke(token) {
    return this.post("/oauth/revoke", { client_id: this.clientId, token });
  }

  // post never throws: an answer has ok, status, retryAfter (seconds or null) and json, which is
  // null when the body is none. Status 0 is no answer at all.
  async post(path, body) {
    const began = performance.now();
    const answer = { method: "POST", path, request: body, ok: false, status: 0, retryAfter: null, json: null, text: "" };
    try {
      const response = await fetch(path, {
        method: "POST",
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(patience),
      });
      answer.status = response.status;
      const wait = Number.parseInt(response.headers.get("Retry-After"), 10);
      if (wait >= 0) answer.retryAfter = wait;
      answer.text = await response.text();
      answer.json = parse(answer.text);
      answer.ok = response.ok && answer.json !== null;
    } catch (failure) {
      answer.status = 0;
      answer.text = failure.name === "TimeoutError" ? "No answer within 10 seconds" : "No connection";
    }
    answer.took = Math.round(performance.now() - began);
    this.onExchange(answer);
    return answer;
  }
}

function parse(text) {
  try {
    const value = JSON.parse(text);
    return value !== null && typeof value === "object" ? value : null;
  } catch {
    return null;
  }
}
