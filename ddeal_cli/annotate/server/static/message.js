// One line for what went wrong, or what came out.

const line = document.getElementById("message");
const text = line.querySelector("span");
let timer = 0;

function show(words, good) {
  text.textContent = words;
  line.classList.toggle("good", good);
  line.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hide, good ? 6000 : 15000);
}

export const complain = (words) => show(words, false);
export const tell = (words) => show(words, true);

export function hide() {
  line.hidden = true;
}

line.querySelector("button").addEventListener("click", hide);
