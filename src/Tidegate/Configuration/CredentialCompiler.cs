using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Tidegate.Exchanges;
using Tidegate.Policies;
using Tidegate.Policies.Credential;

namespace Tidegate.Configuration;

/// <summary>Compiles the credential that an API's requests carry, or the several that they carry in turn.</summary>
/// <param name="positions">Where everything stands.</param>
/// <param name="problems">What is wrong.</param>
/// <param name="services">What outlives a configuration.</param>
/// <param name="effects">What is done to it when the configuration is in force.</param>
internal sealed class CredentialCompiler(ConfigPositions positions, List<ConfigProblem> problems, CompilerServices services, List<Action> effects)
{
    // A label of metrics.
    private const int MaxNameCharacters = 32;

    // The routes of an API share what is known of its keys, also of those that are new with this configuration.
    private readonly Dictionary<ProviderKey, KeyHealth> _healths = [];

    /// <summary>The values that a credential may have.</summary>
    public static IEnumerable<string> Values(CredentialInjectionConfig credential) => credential.Keys.Select(key => key.Value.Value).Concat(credential.Value is { } value ? [value.Value] : []);

    /// <summary>Finds what cannot be meant.</summary>
    public void Check(ApiConfig api)
    {
        if (api.Credential is not { } credential)
        {
            return;
        }

        if (FieldNameCheck.ProblemOf(credential.Header) is { } problem)
        {
            Problem(credential, "header", problem);
        }

        if (positions.IsWritten(credential, "value") == positions.IsWritten(credential, "keys"))
        {
            Problem(credential, null, "a credential has either value or keys");
        }

        if (!positions.IsWritten(credential, "keys") && (credential.SetAside is not null || credential.Balance is not null || credential.Mode is not null))
        {
            Problem(credential, credential.SetAside is not null ? "set_aside" : credential.Balance is not null ? "balance" : "mode", "balance, set_aside and mode belong to keys");
        }

        if (credential.Keys.Count == 0 && positions.IsWritten(credential, "keys"))
        {
            Problem(credential, "keys", "keys is empty; list at least one, or write value");
        }

        if (credential.Keys.Count > KeyPoolSettings.MaxKeys)
        {
            Problem(credential, "keys", $"at most {KeyPoolSettings.MaxKeys} keys can be listed");
        }

        var names = new HashSet<string>();
        var values = new HashSet<string>();
        for (var i = 0; i < credential.Keys.Count; i++)
        {
            var key = credential.Keys[i];
            if (key.Name is { } name && (name.Length is 0 or > MaxNameCharacters || name.Any(letter => !char.IsAsciiLetterOrDigit(letter) && letter is not ('-' or '_' or '.'))))
            {
                Problem(key, "name", $"a key's name has 1 to {MaxNameCharacters} letters, digits, hyphens, underscores and dots");
            }

            if (!names.Add(NameOf(credential, i)))
            {
                Problem(key, "name", $"there are two keys named '{NameOf(credential, i)}' here");
            }

            if (!values.Add(key.Value.Value))
            {
                Problem(key, "value", "another key has the same value; remove one, or give it a weight");
            }

            if (key.Weight > KeyPoolSettings.MaxWeight)
            {
                Problem(key, "weight", $"a weight is 1 to {KeyPoolSettings.MaxWeight}");
            }
        }
    }

    public IPolicy Compile(ApiConfig api, CredentialInjectionConfig credential)
    {
        var requiresTls = api is { Direction: Direction.Egress, Upstream: null };
        if (credential.Keys.Count == 0)
        {
            var value = credential.Value?.Value ?? "";
            return new CredentialPolicy(credential.Header, value, requiresTls, HealthOf(api, new ProviderKey("", Identity(credential.Header, value)), services.OnlyKeys));
        }

        return new KeyPoolPolicy(
            new CredentialField(credential.Header, requiresTls),
            new KeyPoolSettings
            {
                Keys = [.. credential.Keys.Take(KeyPoolSettings.MaxKeys).Select((key, i) => new PooledKey(Encoding.Latin1.GetBytes(key.Value.Value), Math.Min(KeyPoolSettings.MaxWeight, key.Weight ?? 1), HealthOf(api, new ProviderKey(NameOf(credential, i), Identity(credential.Header, key.Value.Value)), services.Keys)))],
                Choice = credential.Balance ?? KeyChoice.RoundRobin,
                SetAside = credential.SetAside ?? KeyPoolSettings.DefaultSetAside,
                Mode = credential.Mode ?? PolicyMode.Enforce,
            },
            services.Time);
    }

    private KeyHealth HealthOf(ApiConfig api, ProviderKey key, KeyHealths of)
    {
        if (!_healths.TryGetValue(key, out var health))
        {
            _healths.Add(key, health = of.Of(api.Name, key));
            effects.Add(() => of.Keep(health));
        }

        return health;
    }

    private static string NameOf(CredentialInjectionConfig credential, int index) => credential.Keys[index].Name ?? (index + 1).ToString(System.Globalization.CultureInfo.InvariantCulture);

    /// <summary>Tells values apart without keeping one.</summary>
    private static UInt128 Identity(string header, string value) => BinaryPrimitives.ReadUInt128LittleEndian(SHA256.HashData(Encoding.UTF8.GetBytes(header + "\0" + value)));

    private void Problem(object record, string? key, string message) => problems.Add(new ConfigProblem(positions.Of(record, key), ConfigSeverity.Error, message));
}
