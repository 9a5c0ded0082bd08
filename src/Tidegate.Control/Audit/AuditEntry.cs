using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Tidegate.Control.Audit;

/// <summary>One thing that somebody did, or tried to.</summary>
/// <param name="Time">When.</param>
/// <param name="Who">A user, <c>the token</c>, or where a change came from.</param>
/// <param name="Address">Of the client; empty where there was none.</param>
/// <param name="Action">sign_in, sign_out, purge, reload, start or stop.</param>
/// <param name="Detail">Of what; never a secret.</param>
/// <param name="Succeeded">Whether it was done.</param>
internal sealed record AuditEntry(DateTimeOffset Time, string Who, string Address, string Action, string Detail, bool Succeeded)
{
    // What people send in a name is not cut short before; a line must stay one.
    private const int MaxTextLength = 500;

    private static readonly JsonWriterOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("time", Time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture));
        json.WriteString("who", Short(Who));
        json.WriteString("address", Short(Address));
        json.WriteString("action", Action);
        json.WriteString("detail", Short(Detail));
        json.WriteBoolean("succeeded", Succeeded);
        json.WriteEndObject();
    }

    /// <summary>As a line of the file.</summary>
    public byte[] ToLine()
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Readable))
        {
            Write(json);
        }

        buffer.WriteByte((byte)'\n');
        return buffer.ToArray();
    }

    /// <summary>Reads a line back; null when it is none of ours, or was cut.</summary>
    public static AuditEntry? OfLine(string line)
    {
        try
        {
            using var document = JsonDocument.Parse(line);
            var entry = document.RootElement;
            string Text(string name) => entry.GetProperty(name).GetString() ?? "";
            return new AuditEntry(entry.GetProperty("time").GetDateTimeOffset(), Text("who"), Text("address"), Text("action"), Text("detail"), entry.GetProperty("succeeded").GetBoolean());
        }
        catch (Exception strange) when (strange is JsonException or KeyNotFoundException or InvalidOperationException or FormatException)
        {
            return null;
        }
    }

    private static string Short(string text) => text.Length <= MaxTextLength ? text : text[..MaxTextLength] + "…";
}
