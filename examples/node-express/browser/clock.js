// Built into public/clock.js by `npm run build`; only the built file is served.
const clock = document.querySelector("#clock");

function showTime() {
  const currentTime = new Date();
  clock.textContent = currentTime.toLocaleTimeString();
}

setInterval(showTime, 1000);
showTime();
