using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Tidegate.Configuration;

/// <summary>Reads a configuration file and what it includes.</summary>
internal sealed class ConfigurationLoader
{
    // Far more than any hand-written file; bounds what a wrong path can make us read.
    private const long MaxFileBytes = 4 * 1024 * 1024;
    private const int MaxFiles = 256;

    private readonly SecretReferences _references;
    private readonly List<ConfigProblem> _problems = [];
    private readonly List<FileStamp> _files = [];
    private readonly ConfigPositions _positions = new();

    private readonly Func<string, string?> _environment;

    private ConfigurationLoader(Func<string, string?> environment)
    {
        _environment = environment;
        _references = new SecretReferences(environment);
    }

    /// <summary>Reads a file.</summary>
    public static LoadedConfiguration Load(string file, Func<string, string?>? environment = null)
    {
        var loader = new ConfigurationLoader(environment ?? Environment.GetEnvironmentVariable);
        return loader.Loaded(loader.ReadFile(file, null));
    }

    /// <summary>Reads a text as if it stood in a file of that name.</summary>
    public static LoadedConfiguration LoadText(string yaml, string fileName, Func<string, string?>? environment = null)
    {
        var loader = new ConfigurationLoader(environment ?? Environment.GetEnvironmentVariable);
        loader._files.Add(FileStamp.Of(Path.GetFullPath(fileName)));
        return loader.Loaded(loader.ReadText(yaml, fileName));
    }

    private LoadedConfiguration Loaded(GatewayConfig? config) => new(config, _problems, _files, _positions, _environment) { Mask = _references.Mask, Packs = Packs(config) };

    private ProviderPacks Packs(GatewayConfig? config)
    {
        var packs = new ProviderPacks();
        for (var i = 0; i < config?.Providers.Count; i++)
        {
            packs.Add(Path.Combine(Path.GetDirectoryName(_files[0].Path) ?? "", config.Providers[i]), _positions.Of(config, "providers", i), _problems, _files);
        }

        return packs;
    }

    private GatewayConfig? ReadFile(string file, ConfigPosition? includedAt)
    {
        var position = includedAt ?? new ConfigPosition(file, 1, 1);
        if (_files.Any(read => read.Path == Path.GetFullPath(file)))
        {
            Problem(position, $"'{file}' is included more than once");
            return null;
        }

        if (_files.Count == MaxFiles)
        {
            Problem(position, $"more than {MaxFiles} files are included");
            return null;
        }

        _files.Add(FileStamp.Of(Path.GetFullPath(file)));
        try
        {
            if (new FileInfo(file) is { Exists: true, Length: > MaxFileBytes })
            {
                Problem(position, $"'{file}' is larger than {MaxFileBytes >> 20}MB");
                return null;
            }

            return ReadText(File.ReadAllText(file), file);
        }
        catch (Exception unreadable) when (unreadable is IOException or UnauthorizedAccessException)
        {
            var reason = unreadable is FileNotFoundException or DirectoryNotFoundException ? "there is no such file" : Directory.Exists(file) ? "it is a directory" : unreadable.Message;
            Problem(position, $"'{file}' cannot be read: {reason}");
            return null;
        }
    }

    private GatewayConfig? ReadText(string yaml, string file)
    {
        var stream = new YamlStream();
        try
        {
            if (YamlShape.Problem(yaml) is var (at, message))
            {
                Problem(new ConfigPosition(file, at.Line, at.Column), message);
                return null;
            }

            stream.Load(new StringReader(yaml));
        }
        catch (YamlException broken)
        {
            Problem(new ConfigPosition(file, broken.Start.Line, broken.Start.Column), "this is not YAML: " + (broken.InnerException?.Message ?? broken.Message));
            return null;
        }

        if (stream.Documents.Count == 0)
        {
            Problem(new ConfigPosition(file, 1, 1), "the file is empty; 'tidegate init' writes a first one");
            return null;
        }

        var config = (GatewayConfig?)new ConfigBinder(file, _references, _positions, _problems).BindRecord(typeof(GatewayConfig), stream.Documents[0].RootNode);
        return config is null ? null : WithIncludes(config, file);
    }

    private GatewayConfig WithIncludes(GatewayConfig config, string file)
    {
        var directory = Path.GetDirectoryName(file) ?? "";
        var merged = config;
        for (var i = 0; i < config.Include.Count; i++)
        {
            var at = _positions.Of(config, "include", i);
            if (ReadFile(Path.Combine(directory, config.Include[i]), at) is not { } included)
            {
                continue;
            }

            merged = merged with
            {
                Apis = [.. merged.Apis, .. included.Apis],
                Consumers = [.. merged.Consumers, .. included.Consumers],
            };

            // Sections belong into one place: two files that both set a listener would depend on their order.
            if (included.Listeners != new ListenersConfig() || included.Defaults != new DefaultsConfig() || included.Recording != new RecordingConfig() || included.StateDirectory is not null || included.Providers.Count > 0)
            {
                Problem(at, $"'{config.Include[i]}' may only have apis, consumers and include; listeners, defaults, providers, recording and state_directory belong into the main file");
            }
        }

        _positions.Alias(merged, config);
        return merged;
    }

    private void Problem(ConfigPosition position, string message) => _problems.Add(new ConfigProblem(position, ConfigSeverity.Error, message));
}
