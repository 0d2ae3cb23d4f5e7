// Sends the request that the page shows, as the demo user, and puts the answer in the place of the sample.
"use strict";

const answer = document.getElementById("answer");
const says = document.getElementById("says");

document.getElementById("send").addEventListener("click", async () => {
  says.textContent = "Sending …";
  try {
    const response = await fetch("/api/tasks", {
      method: "POST",
      headers: {
        Authorization: `Bearer ${document.getElementById("token").textContent}`,
        "Content-Type": "application/json",
      },
      body: JSON.stringify({ title: "My first task" }),
    });
    answer.textContent = JSON.stringify(await response.json(), null, 2);
    says.textContent = `The answer just now was ${response.status}:`;
  } catch (error) {
    says.textContent = "No answer came:";
    answer.textContent = String(error);
  }
});
