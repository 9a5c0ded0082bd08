using System.Reflection;
using Tidegate.Exchanges;
using Tidegate.Policies.Limits.Costs;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Tidegate.Configuration;

/// <summary>The provider packs that an API can refer to: those that come with the gateway, and the user's, which win.</summary>
internal sealed class ProviderPacks
{
    private const string Prefix = "providers/";
    private const long MaxFileBytes = 256 * 1024;

    private static readonly Lazy<IReadOnlyList<ProviderPackConfig>> Embedded = new(ReadEmbedded);

    private readonly Dictionary<string, ProviderPackConfig> _own = [];

    /// <summary>Every pack, the user's first.</summary>
    public IEnumerable<ProviderPackConfig> All => _own.Values.Concat(Embedded.Value.Where(pack => !_own.ContainsKey(pack.Name)));

    /// <summary>The pack of a name.</summary>
    public ProviderPackConfig? Find(string name) => All.FirstOrDefault(pack => pack.Name == name);

    /// <summary>The pack that lists one of these hosts.</summary>
    public ProviderPackConfig? FindByHost(IEnumerable<string> hosts) => hosts.Select(host => All.FirstOrDefault(pack => pack.Hosts.Any(pattern => Fits(pattern, host)))).FirstOrDefault(pack => pack is not null);

    /// <summary>Reads a file, or every .yaml file of a directory.</summary>
    /// <param name="path">Which.</param>
    /// <param name="at">Where it is named.</param>
    /// <param name="problems">What was found.</param>
    /// <param name="files">The files that were read are added.</param>
    public void Add(string path, ConfigPosition at, List<ConfigProblem> problems, List<FileStamp> files)
    {
        try
        {
            foreach (var file in Directory.Exists(path) ? Directory.GetFiles(path, "*.yaml").Order(StringComparer.Ordinal) : (IEnumerable<string>)[path])
            {
                files.Add(FileStamp.Of(Path.GetFullPath(file)));
                if (new FileInfo(file) is { Exists: true, Length: > MaxFileBytes })
                {
                    problems.Add(new ConfigProblem(at, ConfigSeverity.Error, $"'{file}' is larger than {MaxFileBytes >> 10}KB"));
                }
                else if (Read(File.ReadAllText(file), file, problems) is { } pack && !_own.TryAdd(pack.Name, pack))
                {
                    problems.Add(new ConfigProblem(at, ConfigSeverity.Error, $"there are two provider files for '{pack.Name}'"));
                }
            }
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            var reason = unreadable is FileNotFoundException or DirectoryNotFoundException ? "there is no such file or directory" : unreadable.Message;
            problems.Add(new ConfigProblem(at, ConfigSeverity.Error, $"'{path}' cannot be read: {reason}"));
        }
    }

    /// <summary>Reads the text of one pack; null when it is none, with the reason among the problems.</summary>
    internal static ProviderPackConfig? Read(string yaml, string file, List<ConfigProblem> problems)
    {
        var stream = new YamlStream();
        try
        {
            if (YamlShape.Problem(yaml) is var (place, message))
            {
                problems.Add(new ConfigProblem(new ConfigPosition(file, place.Line, place.Column), ConfigSeverity.Error, message));
                return null;
            }

            stream.Load(new StringReader(yaml));
        }
        catch (Exception broken) when (broken is YamlException or InvalidOperationException or ArgumentException)
        {
            // The library says so in all of these ways.
            var at = (broken as YamlException)?.Start ?? Mark.Empty;
            problems.Add(new ConfigProblem(new ConfigPosition(file, at.Line, at.Column), ConfigSeverity.Error, "this is not YAML: " + (broken.InnerException?.Message ?? broken.Message)));
            return null;
        }

        if (stream.Documents.Count == 0)
        {
            problems.Add(new ConfigProblem(new ConfigPosition(file, 1, 1), ConfigSeverity.Error, "the file is empty; a provider has at least a name"));
            return null;
        }

        // A pack holds no secrets, so it refers to nothing.
        var positions = new ConfigPositions();
        var found = problems.Count;
        var pack = (ProviderPackConfig?)new ConfigBinder(file, new SecretReferences(static _ => null), positions, problems).BindRecord(typeof(ProviderPackConfig), stream.Documents[0].RootNode);
        if (pack is not null)
        {
            Check(pack, positions, problems);
        }

        foreach (var error in pack?.Errors.Where(error => error is { Path: not null, Code: null }) ?? [])
        {
            problems.Add(new ConfigProblem(positions.Of(error, "path"), ConfigSeverity.Error, "path belongs to an error with a code: of status and fields the path says nothing"));
        }

        foreach (var content in pack?.Windows.Select(window => window.Content).OfType<ProviderContentConfig>() ?? [])
        {
            foreach (var (key, text) in ((string, string?)[])[("limit", content.Limit), ("remaining", content.Remaining), ("per_second", content.PerSecond), ("charged", content.Charged)])
            {
                if (text is not null && JsonPointer.TryParse(text) is null)
                {
                    problems.Add(new ConfigProblem(positions.Of(content, key), ConfigSeverity.Error, $"'{text}' is no JSON pointer to a field; write /usage/total_tokens, with at most {JsonPointer.MaxSegments} parts"));
                }
            }
        }

        return problems.Count == found ? pack : null;
    }

    /// <summary>Holds the limits to what an API's are held to, and says what is wrong at its place in this file.</summary>
    private static void Check(ProviderPackConfig pack, ConfigPositions positions, List<ConfigProblem> problems)
    {
        var settings = new LimitSettingsCompiler(positions, problems, []);
        var names = new HashSet<string>();
        foreach (var written in pack.Limits)
        {
            var limit = ProviderCompiler.LimitOf(written);
            positions.Alias(limit, written);
            if (written.Per.ToList().IndexOf("credential") is >= 0 and var index)
            {
                problems.Add(new ConfigProblem(positions.Of(written, "per", index), ConfigSeverity.Error, "credential tells an API's own keys apart, of which a provider's file knows nothing; write such a limit at the API"));
            }
            else
            {
                settings.Compile(new ApiConfig { Name = pack.Name, Direction = Direction.Egress }, limit, names, match: null);
            }
        }
    }

    private static bool Fits(string pattern, string host) =>
        pattern.StartsWith("*.", StringComparison.Ordinal)
            ? host.EndsWith(pattern[1..], StringComparison.OrdinalIgnoreCase)
            : host.Equals(pattern, StringComparison.OrdinalIgnoreCase);

    private static List<ProviderPackConfig> ReadEmbedded()
    {
        var assembly = Assembly.GetExecutingAssembly();
        var packs = new List<ProviderPackConfig>();
        var problems = new List<ConfigProblem>();
        foreach (var name in assembly.GetManifestResourceNames().Where(name => name.StartsWith(Prefix, StringComparison.Ordinal)).Order(StringComparer.Ordinal))
        {
            using var reader = new StreamReader(assembly.GetManifestResourceStream(name)!);
            if (Read(reader.ReadToEnd(), name, problems) is { } pack)
            {
                packs.Add(pack);
            }
        }

        return problems.Count == 0 ? packs : throw new InvalidOperationException("A provider file of the gateway's own is broken: " + string.Join("; ", problems));
    }
}
