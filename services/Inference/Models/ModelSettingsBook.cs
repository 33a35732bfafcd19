using System.ComponentModel.DataAnnotations;

namespace MlOps.Inference.Models;

/// <summary>Finds how a model is to be served; a value that breaks its rule stops the service at start, and says where.</summary>
internal sealed class ModelSettingsBook
{
    private const string Defaults = "Inference:Defaults";
    private const string Models = "Inference:Models";
    private readonly IConfiguration _configuration;
    private readonly Dictionary<string, ModelSettings> _named = new(StringComparer.Ordinal);
    private readonly ModelSettings _default;

    /// <exception cref="InvalidOperationException">Names every setting that breaks a rule, and the rule.</exception>
    public ModelSettingsBook(IConfiguration configuration)
    {
        _configuration = configuration;
        var broken = new List<string>();
        _default = Read(null, Defaults, broken);
        foreach (var section in configuration.GetSection(Models).GetChildren())
        {
            _named.Add(section.Key, Read(section.Key, section.Path, broken));
        }

        if (broken.Count > 0) throw new InvalidOperationException(string.Join("; ", broken));
    }

    public ModelSettings Of(string model) => _named.GetValueOrDefault(model, _default);

    private ModelSettings Read(string? model, string path, List<string> broken)
    {
        var settings = new ModelSettings();
        try
        {
            _configuration.GetSection(Defaults).Bind(settings);
            if (model is not null) _configuration.GetSection(path).Bind(settings);
        }
        catch (InvalidOperationException e)
        {
            broken.Add(e.InnerException is null ? e.Message : $"{e.Message} {e.InnerException.Message}");
            return settings;
        }

        Check(settings, path, broken);
        foreach (var part in typeof(ModelSettings).GetProperties())
        {
            if (part.GetIndexParameters().Length > 0 || part.GetValue(settings) is not { } value) continue;
            Check(value, $"{path}:{part.Name}", broken);
        }

        return settings;
    }

    private static void Check(object value, string path, List<string> broken)
    {
        var results = new List<ValidationResult>();
        Validator.TryValidateObject(value, new ValidationContext(value), results, validateAllProperties: true);
        broken.AddRange(results.Select(r => $"{path}: {r.ErrorMessage}"));
    }
}
