using System.Text.Json;

namespace Tidegate.Control.Inventory;

/// <summary>The inventory on the disk.</summary>
internal sealed class InventoryFile(string path, Action<string> log)
{
    private const string Corrupt = ".corrupt";

    // What 10,000 endpoints with every caller named can take.
    private const long MaxBytes = 64L * 1024 * 1024;

    /// <summary>As it is written.</summary>
    public static byte[] Write(IEnumerable<FoundHost> hosts)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer))
        {
            json.WriteStartObject();
            json.WriteNumber("version", 1);
            json.WriteStartArray("hosts");
            foreach (var host in hosts)
            {
                InventoryJson.Write(json, host, withEndpoints: true);
            }

            json.WriteEndArray();
            json.WriteEndObject();
        }

        return buffer.ToArray();
    }

    /// <summary>What an earlier process knew. What cannot be read is set aside.</summary>
    public IReadOnlyList<FoundHost> Read()
    {
        try
        {
            if (!File.Exists(path) || new FileInfo(path).Length > MaxBytes)
            {
                return [];
            }

            using var json = JsonDocument.Parse(File.ReadAllBytes(path));
            return [.. json.RootElement.GetProperty("hosts").EnumerateArray().Select(InventoryJson.Read).OfType<FoundHost>().Take(ApiInventory.MaxHosts + ApiInventory.MaxListedHosts)];
        }
        catch (Exception unreadable) when (unreadable is JsonException or InvalidOperationException or KeyNotFoundException or IOException or UnauthorizedAccessException)
        {
            SetAside(unreadable);
            return [];
        }
    }

    /// <exception cref="IOException">The disk is full, for example; also <see cref="UnauthorizedAccessException"/>. What was there stays.</exception>
    public void Save(byte[] content) => PrivateFile.Replace(path, content);

    private void SetAside(Exception unreadable)
    {
        try
        {
            File.Move(path, path + Corrupt, overwrite: true);
            log($"{path} cannot be read ({unreadable.Message}) and was set aside as {Path.GetFileName(path)}{Corrupt}. The inventory begins anew.");
        }
        catch (Exception stuck) when (stuck is IOException or UnauthorizedAccessException)
        {
            log($"{path} cannot be read ({unreadable.Message}) and cannot be set aside ({stuck.Message}). The inventory begins anew.");
        }
    }
}
