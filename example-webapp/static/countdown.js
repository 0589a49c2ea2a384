// Counts down the times that /profile shows. Without this script they stand still, and are right at loading.
"use strict";
for (const element of document.querySelectorAll("time[data-countdown]")) {
  const end = Date.parse(element.dateTime);
  const show = () => {
    const left = Math.max(0, Math.floor((end - Date.now()) / 1000));
    element.textContent = left > 0 ? inWords(left) : "Expired";
    if (left > 0) setTimeout(show, 1000);
  };
  show();
}

function inWords(left) {
  const hours = Math.floor(left / 3600), minutes = Math.floor(left / 60) % 60, seconds = left % 60;
  if (hours > 0) return `${hours} h ${minutes} min`;
  return minutes > 0 ? `${minutes} min ${seconds} s` : `${seconds} s`;
}
