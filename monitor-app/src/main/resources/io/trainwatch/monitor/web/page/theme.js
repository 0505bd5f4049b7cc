// Before anything is painted, so that a dark room stays dark: data-theme is "dark" or "light", as chosen, else as the system is.
{
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("theme");
    document.documentElement.dataset.theme =
      chosen === "dark" || chosen === "light" ? chosen : dark.matches ? "dark" : "light";
    dispatchEvent(new Event("themechange"));
  };
  dark.addEventListener("change", apply);
  apply();
}
