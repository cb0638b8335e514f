// A second step outside working hours, in the office's own time with its summer time.
const zone = 'Europe/Zurich';
const begins = 8;
const ends = 18;

async function onLogin(context) {
  const first = await step(1);
  if (!first.ok) deny();
  const time = getLocalTime(zone);
  if (time.weekday <= 5 && time.hour >= begins && time.hour < ends) return;
  Log.info(`outside working hours: day ${time.weekday}, ${time.hour} h`);
  if (!(await step(2)).ok) deny();
}
