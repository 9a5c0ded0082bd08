using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Tidegate.Configuration;
using Tidegate.Control.Admin;

namespace Tidegate.Dashboard.SignIn;

/// <summary>What is kept of a session: enough to know it again by its key, and nothing that would be of use without.</summary>
/// <param name="Hash">Of the key.</param>
/// <param name="Caller">Who signed in.</param>
/// <param name="Proof">By what.</param>
/// <param name="Ends">When, at the latest.</param>
/// <param name="Seal">
/// Of all of it and of what the proof stood for, made with the key: only with the key can be found out whether a token or a password is still the same. A plain hash of the token would let
/// whoever gets the file try tokens.
/// </param>
internal sealed record SavedSession(string Hash, AdminCaller Caller, SignInProof Proof, DateTimeOffset Ends, string Seal)
{
    private const int Version = 1;

    public static SavedSession Of(string key, AdminCaller caller, SignInProof proof, string means, DateTimeOffset ends) =>
        new(HashOf(key), caller, proof, ends, SealOf(key, caller, proof, means, ends));

    public static string HashOf(string key) => Convert.ToHexString(SHA256.HashData(Encoding.UTF8.GetBytes(key)));

    /// <summary>Whether it was begun with this key, and the proof stood for the same then.</summary>
    public bool IsOf(string key, string means) =>
        CryptographicOperations.FixedTimeEquals(Encoding.ASCII.GetBytes(SealOf(key, Caller, Proof, means, Ends)), Encoding.UTF8.GetBytes(Seal));

    public static byte[] Write(IEnumerable<SavedSession> sessions)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("version", Version);
            json.WriteStartArray("sessions");
            foreach (var session in sessions)
            {
                session.Write(json);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <exception cref="JsonException">It is none; also <see cref="InvalidOperationException"/>, <see cref="KeyNotFoundException"/>, <see cref="FormatException"/> and <see cref="ArgumentException"/>.</exception>
    public static IReadOnlyList<SavedSession> Read(byte[] content)
    {
        using var json = JsonDocument.Parse(content);
        return json.RootElement.GetProperty("version").GetInt32() == Version
            ? [.. json.RootElement.GetProperty("sessions").EnumerateArray().Select(Read)]
            : throw new FormatException("it is another version's");
    }

    private void Write(Utf8JsonWriter json)
    {
        json.WriteStartObject();
        json.WriteString("hash", Hash);
        json.WriteString("by", Proof.Kind.ToString());
        json.WriteString("user", Proof.Name);
        json.WriteString("name", Caller.Name);
        json.WriteString("role", Caller.Role.ToString());
        if (Caller.Tenants is not null)
        {
            json.WriteStartArray("tenants");
            foreach (var tenant in Caller.Tenants)
            {
                json.WriteStringValue(tenant);
            }

            json.WriteEndArray();
        }

        json.WriteString("ends", Ends);
        json.WriteString("seal", Seal);
        json.WriteEndObject();
    }

    private static SavedSession Read(JsonElement session)
    {
        string Text(string name) => session.GetProperty(name).GetString() ?? "";
        var tenants = session.TryGetProperty("tenants", out var some) ? some.EnumerateArray().Select(tenant => tenant.GetString() ?? "").ToList() : null;
        var caller = new AdminCaller(Text("name"), Enum.Parse<AdminRole>(Text("role")), tenants);
        return new SavedSession(Text("hash"), caller, new SignInProof(Enum.Parse<SignInProof.Ways>(Text("by")), Text("user")), session.GetProperty("ends").GetDateTimeOffset(), Text("seal"));
    }

    private static string SealOf(string key, AdminCaller caller, SignInProof proof, string means, DateTimeOffset ends)
    {
        string[] parts = [means, proof.Kind.ToString(), proof.Name, caller.Name, caller.Role.ToString(), ends.UtcTicks.ToString(CultureInfo.InvariantCulture), caller.Tenants is null ? "all" : "only", .. caller.Tenants ?? []];

        // With its length, so that no two lists read the same.
        var text = string.Concat(parts.Select(part => string.Create(CultureInfo.InvariantCulture, $"{part.Length}:{part}")));
        return Convert.ToHexString(HMACSHA256.HashData(Encoding.UTF8.GetBytes(key), Encoding.UTF8.GetBytes(text)));
    }
}
