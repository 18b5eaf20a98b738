// Starts the page once the model is known.

import { get } from "./api.js";
import { element, fill } from "./dom.js";
import { showEvaluation, showModel } from "./header.js";
import { makeProblem } from "./problem.js";
import { Session } from "./session.js";

const at = (id) => document.getElementById(id);

start();

async function start() {
  fill(at("start"), element("p", { class: "waiting quiet" }, "Asking for the model …"));
  try {
    const model = await get("model");
    fill(at("start"));
    showModel(at("model"), model);
    showEvaluation(at("evaluation"), model.evaluation);
    at("page").hidden = false;
    await new Session(model).begin();
  } catch (problem) {
    fill(at("start"), makeProblem(problem, start));
  }
}
