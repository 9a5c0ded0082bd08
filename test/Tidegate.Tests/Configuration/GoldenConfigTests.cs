using System.Text;
using System.Text.Json;
using Tidegate.Configuration;
using Tidegate.Forwarding;
using Xunit;

namespace Tidegate.Tests.Configuration;

/// <summary>
/// What each sample means once every default is filled in, word for word: a change of a default, of inheritance or of a name shows here. If it is meant, write the
/// files anew with TIDEGATE_WRITE_GOLDEN=1 and read the difference.
/// </summary>
public sealed class GoldenConfigTests
{
    private static readonly string Repository = FindRepository();

    public static TheoryData<string> Samples => [.. Directory.GetFiles(Path.Combine(Repository, "samples"), "*.yaml").Select(file => Path.GetFileNameWithoutExtension(file)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Samples))]
    public async Task A_sample_means_what_it_meant(string sample)
    {
        await using var forwarder = new Forwarder(TimeProvider.System);
        var file = Path.Combine(Repository, "samples", sample + ".yaml");

        // Certificates and other files of the samples are not there; what cannot be read is a problem of its own and changes nothing of what is meant.
        var loaded = ConfigurationLoader.Load(file, name => name.StartsWith("TIDEGATE_SECRET_", StringComparison.Ordinal) ? name + "-of-the-golden-tests" : null);
        Assert.NotNull(loaded.Config);
        var effective = EffectiveConfig.Of(loaded.Config, loaded.Positions, api => api.Tunnel ?? TunnelMode.Verified);

        var meaning = Text(effective, loaded.Positions).Replace(Repository, "", StringComparison.Ordinal);
        var golden = Path.Combine(Repository, "test/Tidegate.Tests/Configuration/golden", sample + ".json");
        if (Environment.GetEnvironmentVariable("TIDEGATE_WRITE_GOLDEN") == "1")
        {
            await File.WriteAllTextAsync(golden, meaning, TestContext.Current.CancellationToken);
        }

        Assert.Equal(await File.ReadAllTextAsync(golden, TestContext.Current.CancellationToken), meaning);
        Assert.DoesNotContain("-of-the-golden-tests", meaning, StringComparison.Ordinal);
    }

    private static string Text(GatewayConfig config, ConfigPositions positions)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, new JsonWriterOptions { Indented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }))
        {
            ConfigView.Write(json, config, positions);
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    private static string FindRepository()
    {
        var directory = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(directory!.FullName, "tidegate.slnx")))
        {
            directory = directory.Parent;
        }

        return directory.FullName;
    }
}
