// The token goes to the server once and comes back as a cookie that scripts can't read.
import { choose, t, translate } from "./words.js";

await choose(localStorage.getItem("lang") ?? "auto");
translate(document);
const token = document.getElementById("token");
const wrong = document.getElementById("wrong");
token.focus();

document.getElementById("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  wrong.textContent = "";
  try {
    const answer = await fetch("login", {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ token: token.value }),
    });
    if (answer.ok) {
      location.assign("./");
    } else {
      wrong.textContent = t(answer.status === 401 ? "login-wrong" : "login-later");
      token.select();
    }
  } catch {
    wrong.textContent = t("login-away");
  }
});
