using System.Text.Json;
using Tidegate.Control.Live;

namespace Tidegate.Control.Admin;

/// <summary><c>/api/v1/limits</c>: what is left of limits now, of those that were written and of those that providers told of.</summary>
internal sealed class LimitsDocument(LimitsNow limits)
{
    public const string Path = "/api/v1/limits";

    public void Write(Utf8JsonWriter json)
    {
        var (written, windows) = limits.Read();
        json.WriteStartObject();
        json.WriteStartArray("limits");
        foreach (var limit in written)
        {
            json.WriteStartObject();
            json.WriteString("api", limit.Api);
            json.WriteString("scope", limit.Scope);
            json.WriteString("name", limit.Name);
            json.WriteString("text", limit.Text);
            json.WriteString("unit", limit.Unit.ToString().ToLowerInvariant());
            json.WriteNumber("amount", limit.Amount);
            if (limit.Used is { } used)
            {
                json.WriteNumber("used", used);
            }
            else
            {
                json.WriteString("per", limit.Per);
                json.WriteStartArray("fullest");
                foreach (var key in limit.Fullest)
                {
                    json.WriteStartObject();
                    json.WriteString("of", key.Of);
                    json.WriteNumber("amount", key.Amount);
                    json.WriteNumber("used", key.Used);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
            }

            if (limit.Waiting is { } waiting)
            {
                json.WriteNumber("waiting", waiting);
            }

            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteStartArray("provider_windows");
        foreach (var window in windows)
        {
            json.WriteStartObject();
            json.WriteString("api", window.Api);
            json.WriteString("window", window.Name);
            json.WriteString("field", window.Field);
            json.WriteString("of", window.Of);
            if (window.State.Limit >= 0)
            {
                json.WriteNumber("limit", window.State.Limit);
            }

            json.WriteNumber("remaining", window.State.Remaining);
            json.WriteNumber("resets_in_seconds", Math.Round(window.State.ResetsIn.TotalSeconds, 3));
            json.WriteBoolean("refills", window.State.Refills);
            json.WriteEndObject();
        }

        json.WriteEndArray();
        json.WriteEndObject();
    }
}
