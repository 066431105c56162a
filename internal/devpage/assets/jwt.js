// A JSON Web Token taken apart for reading (RFC 7519). Nothing is verified here: that is the work
// of the service that gets the token, and of pkg/accesstoken.

// decode returns {header, payload}, or null for what is no JWT, such as an opaque access token.
export function decode(token) {
  const parts = token?.split(".") ?? [];
  if (parts.length !== 3) return null;
  try {
    return { header: part(parts[0]), payload: part(parts[1]) };
  } catch {
    return null;
  }
}

function part(base64url) {
  const base64 = base64url.replaceAll("-", "+").replaceAll("_", "/");
  const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
  return JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
}
