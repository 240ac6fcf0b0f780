/** The form that takes the token. The browser keeps a cookie that scripts cannot read, never the token. */
import { byId, setText } from "./dom.ts";
import { logIn, logOut } from "./server.ts";

/** @param changed asks the server again */
export function startLogin(changed: () => void): void {
  const field = byId<HTMLInputElement>("token");
  byId("login-form").addEventListener("submit", (event) => {
    event.preventDefault();
    setText(byId("login-error"), "");
    logIn(field.value).then(
      () => {
        field.value = "";
        changed();
      },
      (error: Error) => {
        setText(byId("login-error"), `Login failed: ${error.message}.`);
        field.select();
      },
    );
  });
  byId("logout").addEventListener("click", () => {
    logOut().then(changed, (error: Error) => console.warn(error));
  });
}
